"""What AWS's services say, and what it means."""

import json


def parsed(payload):
    """The JSON object in what a service says; None where there is none, or it is too large."""
    try:
        # MicroPython 1.25 takes a text that ends too early for a whole one.
        document = json.loads(payload) if payload and payload.rstrip()[-1:] == b"}" else None
    except (ValueError, RuntimeError, MemoryError):  # RuntimeError: hundreds of levels
        return None
    return document if isinstance(document, dict) else None
