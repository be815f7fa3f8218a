"""JSON that came from outside: what MicroPython's own reader lets through or leaves half done."""

import json

from micropython import const

_PIECE = const(256)
_DEPTH_MAX = const(16)  # of objects and lists within each other
_QUOTE = const(34)
_BACKSLASH = const(92)
_LETTER_U = const(117)
_OPENING = const(b"{[")
_CLOSING = const(b"}]")
_HALF = const("half of a surrogate pair")
_BLANK = const(32)
_SHORT = const(b'"\\\n\r\t')
_SURROGATE = const(0xED)  # the first byte of one in UTF-8, with a second one from 0xA0 (RFC 3629, 4)


def load(source):
    """What the JSON `source` (str, bytes or a stream that can go back) says; ValueError where it is none.

    Refused is what ends early, which MicroPython 1.25 takes for whole; surrogate pairs are joined.
    """
    is_stream = hasattr(source, "read")
    if isinstance(source, str):
        source = source.encode()
    has_escapes = _check(_pieces(source) if is_stream else (source,))
    if is_stream:
        source.seek(0)
    try:
        value = json.load(source) if is_stream else json.loads(source)
    except (ValueError, RuntimeError):  # their messages may quote the text; RuntimeError: nested too deep
        raise ValueError("not JSON")
    return _joined(value) if has_escapes else value


def size(value):
    """Bytes that MicroPython's json.dumps makes of `value`: UTF-8, where CPython's writes escapes.

    ValueError for what could not be read again: an infinity (which a number may become here) or no number.
    """
    if isinstance(value, str):
        count = 2
        for byte in _encoded(value):
            if byte in _SHORT:  # \" and so on
                count += 2
            else:
                count += 1 if byte >= _BLANK else 6  # \u001f
        return count
    if isinstance(value, dict):
        items = [size(key) + 2 + size(item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [size(item) for item in value]
    elif isinstance(value, float) and value - value != 0:
        raise ValueError("a number that JSON has not")
    else:
        return len(json.dumps(value))
    return sum(items) + 2 * (len(items) or 1)  # with ", " between them, and the brackets


def _pieces(stream):
    while True:
        piece = stream.read(_PIECE)
        if not piece:
            return
        yield piece


def _check(pieces):
    """Whether a text has characters as numbers; ValueError where it ends early or is nested too deep."""
    depth = 0
    is_text = is_escape = has_escapes = False
    for piece in pieces:
        for byte in piece:
            if is_escape:
                is_escape = False
                has_escapes = has_escapes or byte == _LETTER_U
            elif byte == _QUOTE:
                is_text = not is_text
            elif is_text:
                is_escape = byte == _BACKSLASH
            elif byte in _OPENING:
                depth += 1
                if depth > _DEPTH_MAX:
                    raise ValueError("nested too deep")
            elif byte in _CLOSING:
                depth -= 1
    if depth > 0 or is_text:
        raise ValueError("ends early")
    return has_escapes


def _joined(value):
    """`value` with each pair of surrogates as the one character that it stands for."""
    if isinstance(value, str):
        return _character_joined(value)
    if isinstance(value, list):
        return [_joined(item) for item in value]
    if isinstance(value, dict):
        return {_joined(key): _joined(item) for key, item in value.items()}
    return value


def _character_joined(text):
    data = _encoded(text)
    at = data.find(b"\xed")
    while at >= 0:
        if at + 1 < len(data) and data[at + 1] >= 0xA0:
            data = data[:at] + _pair(data[at : at + 6]) + data[at + 6 :]
        at = data.find(b"\xed", at + 1)
    return str(data, "utf-8")


def _encoded(text):
    try:
        return text.encode()
    except ValueError:  # CPython's has joined what makes a pair; MicroPython's leaves both halves as they are
        raise ValueError(_HALF)


def _pair(six):
    """The UTF-8 of the character that a high and a low surrogate stand for (RFC 2781, 2.2)."""
    if len(six) < 6 or six[1] >= 0xB0 or six[3] != _SURROGATE or six[4] < 0xB0:
        raise ValueError(_HALF)
    high = (six[1] & 15) << 6 | six[2] & 63
    low = (six[4] & 15) << 6 | six[5] & 63
    return chr(0x10000 + (high << 10 | low)).encode()
