"""What an application of one's own consists of, and where it may be made."""

import re
import shutil
import string
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tools.board.errors import BoardError, writing
from tools.environment import ROOT

_TEMPLATE = Path(__file__).with_name("template")
_RENAMED = {"gitignore": ".gitignore"}  # which would count here
_NAME = re.compile(r"[a-z][a-z0-9-]{0,15}")
_GITHUB = re.compile(r"github:([\w.-]+/[\w.-]+?)(?:@([\w./-]+))?")
_PACKAGE = "esp32-aws-iot"


@dataclass(frozen=True)
class Source:
    """Where a project has its tools and its library from.

    Attributes:
        tools: a requirement, as pip takes it.
        library, reference: a package and its version, as mip takes them.
        text: for people.
    """

    tools: str
    library: str
    reference: str
    text: str


def source(text: str | None) -> Source:
    """The source that an argument names, or this folder.

    Raises:
        BoardError: it is not github:OWNER/REPOSITORY[@REFERENCE].
    """
    if text is None:
        checkout = (ROOT / "pyproject.toml").is_file()
        tools = f"{_PACKAGE} @ {ROOT.as_uri()}" if checkout else f"{_PACKAGE}=={_installed()}"
        return Source(tools, f"{ROOT / 'package.json'}", "", f"{ROOT}" if checkout else "as installed")
    if not (found := _GITHUB.fullmatch(text)):
        raise BoardError(f"--from {text}: not github:OWNER/REPOSITORY[@REFERENCE]", "Say where it is kept.")
    repository, reference = found[1], found[2] or "HEAD"
    tools = f"{_PACKAGE} @ git+https://github.com/{repository}@{reference}"
    return Source(tools, f"github:{repository}", reference, text)


def make(folder: Path, where_from: Source) -> list[str]:
    """Make a project in a folder that is not there yet: all of it or nothing; the paths of its files.

    Raises:
        BoardError: its name makes no product's, it is there, it is in this checkout, or cannot be written.
    """
    target = folder.resolve()
    if not _NAME.fullmatch(target.name):
        raise BoardError(
            f"{target.name}: a name has 1 to 16 small letters, digits and hyphens, and begins with a letter",
            "Devices are called by it: lamp makes lamp-240ac4000001.",
        )
    if target.exists():
        raise BoardError(f"{folder}: is there already", "Choose another name, or remove it.")
    if target.is_relative_to(ROOT):
        raise BoardError(
            f"{folder}: is in the folder of the tools, {ROOT}",
            f"Name a folder beside it: python3 -m tools new {ROOT.parent / target.name}",
        )
    if not target.parent.is_dir():
        raise BoardError(f"{target.parent}: no such folder", "Make it, or choose another.")
    made = files(target.name, where_from)
    new = target.with_name(f".{target.name}.new")
    with writing(new):
        shutil.rmtree(new, ignore_errors=True)
        try:
            for path, text in made.items():
                (new / path).parent.mkdir(parents=True, exist_ok=True)
                (new / path).write_text(text, "utf-8")
            new.rename(target)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    return sorted(made)


def files(name: str, where_from: Source) -> dict[str, str]:
    """The project's files, by their paths in it."""
    words = {
        "name": name,
        "tools": where_from.tools,
        "library": where_from.library,
        "reference": where_from.reference,
        "from_where": where_from.text,
    }
    found = {"firmware/__init__.py": "", "firmware/settings.py": _settings(name)}
    for file in sorted(_TEMPLATE.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            path = file.relative_to(_TEMPLATE).as_posix()
            text = file.read_text("utf-8")
            takes_words = path in ("README.md", "requirements.txt", "package.json")
            found[_RENAMED.get(path, path)] = string.Template(text).substitute(words) if takes_words else text
    return found


def _settings(name: str) -> str:
    """Those of the example, as the product `name` begins with them."""
    text = (ROOT / "firmware/settings.py").read_text("utf-8")
    today = date.today()
    for setting, value in {
        "PRODUCT": f'"{name}"',
        "NAME_PREFIX": f'"{name}"',
        "VERSION": '"0.1.0"',
        "BUILT": f"({today.year}, {today.month}, {today.day})",
    }.items():
        text, count = re.subn(rf"(?m)^({setting} = )(\"[^\"]*\"|\([^)]*\))", rf"\g<1>{value}", text)
        assert count == 1, setting
    return text


def _installed() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - in a checkout there is none

    return version(_PACKAGE)
