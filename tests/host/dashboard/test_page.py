"""What the page's files have to be, whoever serves them."""

import re

from tools.dashboard.server import PAGE
from tools.phone.serve import PAGE as PHONE


def tokens(style: str) -> list[str]:
    """The first colours and sizes of a style sheet, light and dark."""
    return re.findall(r":root \{.*?\n *\}", style, re.DOTALL)[:2]


def test_the_two_pages_are_one_product() -> None:
    theirs, ours = (tokens((page / "style.css").read_text()) for page in (PHONE, PAGE))
    assert ours == theirs and "--accent" in ours[0] and "--accent" in ours[1]


def test_nothing_is_from_elsewhere_and_nothing_is_parsed_as_html() -> None:
    for path in PAGE.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[a-z]+\.", text), f"{path.name}: an address"
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text), (
            path.name
        )
        assert not re.search(r"\sstyle=|\son[a-z]+=\"", text), (
            f"{path.name}: what Content-Security-Policy forbids"
        )


def test_each_module_that_is_imported_is_there() -> None:
    modules = {path.name: path.read_text() for path in PAGE.glob("*.js")}
    named = {name for text in modules.values() for name in re.findall(r'from "\./([a-z]+\.js)"', text)}
    assert named | {"app.js"} == set(modules)
