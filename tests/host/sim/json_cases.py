"""Prints what `json` makes of texts and values, in whichever Python runs this: `async def main(files)`."""

import json
from collections import OrderedDict, namedtuple  # noqa: F401 - for VALUES

# Expressions, so that each Python makes them itself.
VALUES = (
    "1.0", "0.1", "1 / 3", "1e15", "1e16", "1e-7", "1e22", "1e100", "-0.0", "float('nan')", "-float('inf')",
    "10 ** 30", "-5", "True", "None", "b'ab'", "()", "(1, 2)", "[]", "{}", "{1}", "{1: 2}", "{True: 1}",
    "{None: 1}", "{1.5: 1}", "{(1, 2): 3}", "{b'a': [1]}", "chr(233) + chr(127) + chr(31) + chr(8232)",
    "chr(128512)", "chr(34) + chr(92) + chr(10) + chr(13) + chr(9) + chr(8)", "range(2)", "bytearray(b'a')",
    "[[1, [2, {'a': {'b': None}}]]]", "...", "[1j]", "namedtuple('P', ('x', 'y'))(1, 'a')",
    "{'a': namedtuple('P', ('x',))([None])}", "OrderedDict([('a', 1)])", "{frozenset([1]): {2}}",
)  # fmt: skip


def show(value):
    """A value as a text that does not depend on whose repr it is."""
    if isinstance(value, str):
        try:
            data = value.encode()
        except UnicodeError:  # CPython's, of half a surrogate pair
            data = value.encode("utf-8", "surrogatepass")
        return "text " + " ".join([str(byte) for byte in data])
    if isinstance(value, list):
        return "[" + ", ".join([show(item) for item in value]) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(sorted([show(key) + ": " + show(item) for key, item in value.items()])) + "}"
    return repr(value)


def outcome(function, *arguments):
    try:
        return show(function(*arguments))
    except UnicodeError:
        return "UnicodeError"
    except (ValueError, TypeError, RuntimeError) as error:
        return type(error).__name__ + " " + str(error)


def run(texts):
    """Print what becomes of each text, given as hexadecimal digits, and of VALUES."""
    for text in texts:
        print(text, outcome(json.loads, bytes.fromhex(text)))
    for value in VALUES:
        print(value, outcome(json.dumps, eval(value)))
    print("separators", json.dumps({"a": [1, 2]}, separators=(",", ":")))
    for wrong in (None, 1, 1.5):
        print(repr(wrong), outcome(json.loads, wrong))


async def main(files):
    with open(files[0]) as file:
        run(file.read().split())
    return 0
