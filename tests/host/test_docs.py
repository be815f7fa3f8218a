"""README and docs/: links lead somewhere, commands are the tools' own, the reference names what there is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.test_verbs import ALL
from tools.__main__ import VERBS

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path: path.read_text("utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
PAGES[ROOT / "tools/new/template/README.md"] = (ROOT / "tools/new/template/README.md").read_text("utf-8")
MAKEFILES = (ROOT / "Makefile", ROOT / "tools/new/template/Makefile")
PLACEHOLDERS = {"VERB"}
OF_ONES_OWN = {"tests/test_app.py"}  # of a folder that `tools new` made


def named(pages: dict[Path, str]) -> list[object]:
    return [pytest.param(path, text, id=path.relative_to(ROOT).as_posix()) for path, text in pages.items()]


def code(text: str) -> str:
    """What stands in blocks, but for Python's, and between backticks, one a line."""
    blocks = re.findall(r"(?ms)^```(?!python)\w*\n(.*?)^```", re.sub(r"(?ms)^```python.*?^```", "", text))
    return "\n".join([*blocks, *inline(text)])


def inline(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))


def anchors(text: str) -> set[str]:
    """Those of a page's headings, as GitHub and as MkDocs make them."""
    titles = re.findall(r"(?m)^#{1,6} (.*)$", re.sub(r"(?ms)^```.*?^```", "", text))
    words = [re.sub(r"[^\w\s-]", "", re.sub(r"[`*]", "", title)).strip().lower() for title in titles]
    return {word.replace(" ", "-") for word in words} | {re.sub(r"[-\s]+", "-", word) for word in words}


@pytest.mark.parametrize(("path", "text"), named(PAGES))
def test_links_lead_somewhere(path: Path, text: str) -> None:
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"(?ms)^```.*?^```", "", text)):
        if not link.startswith(("http://", "https://")):
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
                wrong.append(link)
    assert wrong == []


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each call of the tools, up to a comment or what a shell does with it."""
    for line in code(text).replace("\\\n", " ").splitlines():
        for call in re.findall(r"(?:python3 -m tools|^iot|^\$ \S*/iot|^\.venv/bin/iot) +([^#|;&>]*)", line):
            yield call.split()
    for words in map(str.split, inline(text)):  # as `release build --image`; `aws` alone is AWS's own
        known = tuple(words[:2]) in ALL or (tuple(words[:1]) in ALL and words[0] != "aws")
        if known and any(word.startswith("--") for word in words):
            yield words


@pytest.mark.parametrize(("path", "text"), named(PAGES))
def test_commands_are_those_of_the_tools(path: Path, text: str) -> None:
    wrong = []
    for words in commands(text):
        verb = words[0].strip("….,")
        options = {word.partition("=")[0].rstrip(",…)'\"") for word in words if re.match(r"--[a-z]", word)}
        known = {
            option
            for called, parser in ALL.items()
            if called[0] == verb
            for option in parser._option_string_actions
        }
        if verb and (
            verb not in {*VERBS, *PLACEHOLDERS, "--help"} or (verb in VERBS and not options <= known)
        ):
            wrong.append(" ".join(words))
    assert wrong == []


@pytest.mark.parametrize(("path", "text"), named(PAGES))
def test_files_that_are_named_are_there(path: Path, text: str) -> None:
    files = {one for one in inline(text) if re.fullmatch(r"(docs|findings|lib|tests|tools)/[\w./-]+", one)}
    assert [one for one in files - OF_ONES_OWN if not (ROOT / one).exists()] == []


@pytest.mark.parametrize(("path", "text"), named(PAGES))
def test_make_has_the_targets(path: Path, text: str) -> None:
    targets = {name for file in MAKEFILES for name in re.findall(r"(?m)^([a-z-]+):", file.read_text("utf-8"))}
    asked = set(re.findall(r"(?m)^(?:\$ )?(?:cd \S+ && )?make ([a-z-]+)", code(text)))
    assert asked - targets == set()


def test_every_page_is_in_the_sites_navigation() -> None:
    there = {path.name for path in PAGES if path.parent.name == "docs"}
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    assert sorted(re.findall(r": ([\w-]+\.md)$", navigation, re.MULTILINE)) == sorted(there)


def test_the_reference_names_what_there_is() -> None:
    """And each has a docstring: MkDocs shows no more."""
    found = re.findall(
        r"(?m)^::: ([\w.]+)\n(?:    options:\n      members: \[(.*)\])?", "\n".join(PAGES.values())
    )
    assert len(found) > 8
    for name, members in found:
        module, _, kind = name.rpartition(".")
        folder = ROOT if module.startswith("tools") else ROOT / "lib"
        tree = ast.parse((folder / f"{module.replace('.', '/')}.py").read_text("utf-8"))
        (node,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind)
        assert ast.get_docstring(node), name
        methods = {
            item.name: ast.get_docstring(item)
            for item in node.body
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        for member in re.findall(r"\w+", members):
            assert methods.get(member) or (kind == "Log" and member in methods), f"{name}.{member}"
