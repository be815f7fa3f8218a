"""MicroPython's `json` on CPython: it writes UTF-8 where CPython's writes escapes, and has fewer options."""

import json
from json import load, loads

__all__ = ["dump", "dumps", "load", "loads"]


def dumps(value, *, separators=None):
    """The JSON of a value, with its characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=separators)


def dump(value, stream, *, separators=None):
    """Write the JSON of a value to a stream."""
    stream.write(dumps(value, separators=separators))
