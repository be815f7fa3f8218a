"""The source of each .mpy file that was made here: CPython, which cannot run one, runs that instead."""

import contextlib
import hashlib
import os
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "build/sources"


def keep(module: bytes, source: bytes) -> None:
    """Keep the source that a .mpy file was made of, where there is a place for it."""
    place = _place(module)
    if find(module) != source:  # another text may make the same file, with other comments
        with contextlib.suppress(OSError):
            _FOLDER.mkdir(parents=True, exist_ok=True)
            new = place.with_name(f"{place.name}.{os.getpid()}")
            new.write_bytes(source)
            new.replace(place)


def find(module: bytes) -> bytes | None:
    """The source of a .mpy file, None where that was not made here."""
    try:
        return _place(module).read_bytes()
    except OSError:
        return None


def _place(module: bytes) -> Path:
    return _FOLDER / f"{hashlib.sha256(module).hexdigest()}.py"
