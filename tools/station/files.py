"""A batch's files, for the owner alone: each is there whole or not at all."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from tools.atomic import write_atomic
from tools.board.errors import writing

_OWNER_ONLY = 0o600


def write(path: Path, data: bytes) -> None:
    """Write a file, by one writer at a time. BoardError where it cannot be written."""
    with writing(path):
        write_atomic(path, data, _OWNER_ONLY)


def table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    """A CSV file's content (RFC 4180)."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, *rows])
    return text.getvalue().encode()
