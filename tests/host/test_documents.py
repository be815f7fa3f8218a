"""The documents' Python is whole: what is pasted from there lacks nothing. What it does, other tests try."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ONE_PROGRAM = {"phone-client.md"}  # each of whose blocks goes on where the one before ends


def blocks(page: Path) -> list[str]:
    """The programs of a page."""
    found = re.findall(r"(?ms)^```python\n(.*?)^```", page.read_text("utf-8"))
    return ["\n".join(found)] if page.name in ONE_PROGRAM else found


BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page), 1)
]


def test_there_are_some() -> None:
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_is_whole(block: str) -> None:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "F,E9",
        "--output-format",
        "json",
        "-",
    ]
    done = subprocess.run(
        command, input=block, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert [found["message"] for found in json.loads(done.stdout)] == []
