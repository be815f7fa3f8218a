"""Files that are there whole or not at all, for the owner alone."""

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path

from tools.board.errors import writing

_OWNER_ONLY = 0o600
_NEW = ".new"


def write(path: Path, data: bytes) -> None:
    """Write a file, by one writer at a time. BoardError where it cannot be written."""
    new = path.with_name(f".{path.name}{_NEW}")  # of a fixed name: a cut leaves no more than one behind
    with writing(path):
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)


def table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    """A CSV file's content (RFC 4180)."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, *rows])
    return text.getvalue().encode()
