"""What the documents of jobs say, and what is told of jobs and commands within AWS's bounds. Pure."""

import io
import json
import sys

from micropython import const

_LETTERS = const("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_MOST_DETAILS = const(10)  # of one execution; keys and values: AWS, StatusDetails
_KEY_MAX = const(128)
_VALUE_MAX = const(1024)
_BYTES_MAX = const(1200)  # all of it as JSON, which has to fit into the outbox beside others' messages
_MESSAGE_MAX = const(800)
_LEAST_LEFT = const(160)  # of those, for a key and the start of its value
_NEITHER = const('the document is neither {"action": …} nor steps of the type runHandler')


def steps(document):
    """What a job's document asks for, as a list of (action, what its handler is given).

    That is {"action": …} or {"afr_ota": …} as it is, or the steps of AWS's managed templates: the handler's
    name without ".sh", and its input. ValueError for any other form.
    """
    try:
        if "afr_ota" in document:  # AWS's own updates
            return [("OTA", document)]
        if "action" in document:
            return [(_text(document["action"]), document)]
        found = []
        for step in document["steps"]:
            action = step["action"]
            if action["type"] != "runHandler":
                raise ValueError("a step of the type {}".format(text(action["type"], _KEY_MAX)))
            handler = _text(action["input"]["handler"])
            found.append((handler[:-3] if handler.endswith(".sh") else handler, action["input"]))
        if found:
            return found
    except (KeyError, TypeError, AttributeError):
        pass
    raise ValueError(_NEITHER)


def _text(value):
    if not isinstance(value, str):
        raise TypeError
    return value


def text(value, most, most_bytes=_BYTES_MAX):
    """`value` as a text of 1 to `most` characters, none of which is a control character.

    Args:
        most: characters.
        most_bytes: that it may have as JSON.
    """
    value = str(value)[:most]
    for character in set(value):
        code = ord(character)
        if not (0x20 <= code < 0x7F or 0xA0 <= code < 0xD800 or code > 0xDFFF):
            value = value.replace(character, " ")
    while len(json.dumps(value).encode()) > most_bytes:
        value = value[: len(value) * 3 // 4]
    return value or "-"


def name(value, most):
    """`value` as a name of 1 to `most` letters, digits, "_" and "-"."""
    value = str(value)[:most]
    for character in set(value):
        if character not in _LETTERS:
            value = value.replace(character, "_")
    return value or "_"


def details(values, most_key=_KEY_MAX, found=None):
    """A dictionary as statusDetails: texts, of which those past AWS's bounds are cut or left out.

    Args:
        most_key: characters of a key.
        found: details that are there already, to which these are added.
    """
    found = found or {}
    for key in values:
        left = _BYTES_MAX - len(json.dumps(found).encode())
        called = name(key, most_key)
        if len(found) < _MOST_DETAILS and left > _LEAST_LEFT and called not in found:
            found[called] = text(values[key], _VALUE_MAX, left - len(called))
    return found


def failure(error):
    """An exception as details: its type, its message, and the place where it was raised."""
    message = str(error)
    found = {"type": type(error).__name__, "place": place(error)}
    found["message"] = message and text(message, _VALUE_MAX, _MESSAGE_MAX)
    return {key: value for key, value in found.items() if value}


def place(error):
    """File and line in which an exception was raised, "" where its traceback does not say."""
    trace = io.StringIO()
    sys.print_exception(error, trace)
    file, _, rest = trace.getvalue().rpartition('File "')[2].partition('", line ')
    line = rest.partition(",")[0].partition("\n")[0].strip()
    return file + ":" + line if line.isdigit() else ""
