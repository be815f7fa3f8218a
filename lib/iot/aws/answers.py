"""What AWS's services say, and what it means."""

import json

from micropython import const

_TAIL = const(32)  # bytes, of which the last may be blank


def parsed(payload):
    """The JSON object in what a service says; None where there is none, or it is too large."""
    try:
        # MicroPython 1.25 takes a text that ends too early for a whole one.
        is_whole = payload and bytes(payload[-_TAIL:]).rstrip()[-1:] == b"}"
        document = json.loads(payload) if is_whole else None
    except (ValueError, RuntimeError, MemoryError):  # RuntimeError: hundreds of levels
        return None
    return document if isinstance(document, dict) else None
