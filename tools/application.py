"""Whose application goes on a device: that of this checkout, or another folder's that has firmware/, too."""

import os
from pathlib import Path

from tools.environment import ROOT

SETTING = "IOT_APP"  # names that folder
NEEDED = ("firmware/app.py", "firmware/settings.py")


def folder(default: Path = ROOT) -> Path:
    """What has firmware/: the folder that IOT_APP names, else the current one, where it has an application.

    Args:
        default: what has it else.
    """
    if named := os.environ.get(SETTING):
        return Path(named).expanduser().resolve()
    here = Path.cwd()
    return here if here != ROOT and all((here / name).is_file() for name in NEEDED) else default


def files(where: Path) -> list[Path]:
    """What is in firmware/ of a folder, but for the examples, each of which is an application of its own."""
    found = sorted((where / "firmware").rglob("*"))
    return [
        file
        for file in found
        if file.is_file() and not {"__pycache__", "examples"} & {*file.relative_to(where).parts}
    ]


def is_own() -> bool:
    """Whether it is another than the example of this checkout."""
    return folder() != ROOT


def complaint() -> str:
    """What is wrong with the folder that IOT_APP names; "" where nothing is."""
    missing = [name for name in NEEDED if not (folder() / name).is_file()]
    if not (os.environ.get(SETTING) and missing):
        return ""
    return f"{SETTING}: {folder()} has no {missing[0]}; name a folder that has one, as `tools new` makes it"
