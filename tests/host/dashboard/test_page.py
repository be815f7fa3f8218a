"""What the page's files have to be, whoever serves them."""

import re

from tools.dashboard.server import PAGE
from tools.phone.serve import PAGE as PHONE

COMMON = PHONE / "common.css"


def test_the_pages_are_one_product() -> None:
    """Each token has one place, and each that is used has one: theirs or this page's own."""
    common, theirs, *ours = (
        path.read_text() for path in (COMMON, PHONE / "style.css", PAGE / "style.css", PAGE / "views.css")
    )
    assert "--accent" in defined(common)
    assert not defined(theirs) and not defined(common) & defined("".join(ours))
    for style, known in ((theirs, common), ("".join(ours), common + "".join(ours))):
        assert set(re.findall(r"var\((--[a-z-]+)\)", style)) <= defined(known)


def defined(style: str) -> set[str]:
    """The tokens that have a value there."""
    return set(re.findall(r"(--[a-z-]+):", style))


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
