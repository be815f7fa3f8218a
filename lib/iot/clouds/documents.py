"""What is reported of a thing's state, as JSON. Pure, and in memory for a moment."""

import json

from iot.memory import borrow


def text(state):
    """`state`, a dictionary, as JSON; ValueError where JSON has no word for it."""
    if not isinstance(state, dict):
        raise ValueError("reported: a dictionary, not {}".format(type(state)))
    borrow("iot.jsontext").size(state)  # raises where it could not be read again
    return json.dumps(state)


def read(payload):
    """The JSON object in what has come; None where there is none."""
    try:
        document = borrow("iot.jsontext").load(payload)
    except (ValueError, MemoryError):
        return None
    return document if isinstance(document, dict) else None
