"""MicroPython's `json` as v1.25 has it: it takes for JSON, and writes, much that is none.

Commas and colons are blanks to its reader, brackets need not match, and the outermost one need not be closed.
"""

import _json
import contextlib
import io
import re

__all__ = ["dump", "dumps", "load", "loads"]

_BLANKS = b" \t\n\r,:"
_BLANKS_BEHIND = b" \t\n\r\v\f"
_CLOSING = b"]}"
_ZEROS_BEHIND = 8  # more than an escape has bytes
_NUMBER, _FLOAT = re.compile(rb"[-+.0-9eE]*"), ".eE"
_PLAIN = re.compile(rb'[^"\\\0]*')
_FLOAT_FORM = re.compile(r"(-?)(\d*\.?\d*(?:[eE][+-]?\d+)?)")  # no digit before the exponent is a zero
_NUMBER_BEGINS = b"0123456789-"
_WORDS = {ord("n"): (b"ull", None), ord("t"): (b"rue", True), ord("f"): (b"alse", False)}
_ESCAPED = dict(zip(b"bfnrt", b"\b\f\n\r\t", strict=True))
_WRITTEN = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPECIAL = re.compile(r'["\\\0-\x1f]')
_NOTHING = object()


class _Strict:
    """How CPython's reader, which is in C, shall read: what is JSON as it should be, and no NaN."""

    strict = True
    object_hook = object_pairs_hook = parse_constant = None
    parse_int, parse_float = int, float


_scan = _json.make_scanner(_Strict)


def loads(source):
    """What a str or bytes says; ValueError where it says nothing, UnicodeError for no UTF-8."""
    if isinstance(source, str):
        source = source.encode("utf-8", "surrogatepass")
    elif not isinstance(source, bytes | bytearray | memoryview):
        raise TypeError("object with buffer protocol required")
    return _load(bytes(source))


def load(stream):
    """What the rest of a stream says."""
    source = stream.read()
    return loads(source) if isinstance(source, str) else _load(source)


def _load(source):
    if b"\\u" not in source:
        with contextlib.suppress(Exception):  # whatever it minds, it is no JSON as it should be
            text = source.decode().strip(" \t\n\r")
            value, end = _scan(text, 0)
            if end == len(text):
                return value
    return _load_any(source)


def _load_any(source):
    reader, document = _Reader(source), _Document()
    while reader.byte and not document.is_closed:
        if reader.byte in _BLANKS:
            reader.advance()
        elif reader.byte in _CLOSING:
            reader.advance()
            document.close()
        else:
            document.add(reader.value())
    while reader.byte and reader.byte in _BLANKS_BEHIND:
        reader.advance()
    if reader.byte or not document.may_end:
        raise _error()
    return document.outermost


class _Document:
    """Values put into each other."""

    def __init__(self):
        self.outermost = _NOTHING
        self.is_closed = False
        self._open = []  # lists and dicts
        self._key = _NOTHING  # which outlives its dict

    @property
    def may_end(self):
        return self.outermost is not _NOTHING and len(self._open) <= 1

    def close(self):
        if not self._open:
            raise _error()
        self._open.pop()
        self.is_closed = not self._open

    def add(self, value):
        is_container = isinstance(value, list | dict)
        if self.outermost is _NOTHING:
            self.outermost = value
            self.is_closed = not is_container
        elif isinstance(self._open[-1], list):
            self._open[-1].append(value)
        elif self._key is not _NOTHING:
            self._open[-1][self._key], self._key = value, _NOTHING
        elif is_container:
            raise _error()
        else:
            self._key = value
        if is_container:
            self._open.append(value)


class _Reader:
    """Goes through a text byte by byte; a zero is as good as its end."""

    def __init__(self, source):
        self._text = source.partition(b"\0")[0] + b"\0" * _ZEROS_BEHIND
        self._at = 0

    @property
    def byte(self):
        return self._text[self._at]

    def advance(self):
        self._at += 1
        return self._text[self._at]

    def _take(self, pattern):
        """What matches from here on, be it nothing."""
        found = pattern.match(self._text, self._at)[0]
        self._at += len(found)
        return found

    def value(self):
        """A number, a text, a word, or a list or dict that has just been opened."""
        if self.byte in _NUMBER_BEGINS:
            return self._number()
        first = self.byte
        self.advance()
        if first == ord("["):
            return []
        if first == ord("{"):
            return {}
        if first == ord('"'):
            return self._string()
        letters, word = _WORDS.get(first, (b"", None))
        for letter in letters:
            if self.byte != letter:
                raise _error()
            self.advance()
        if not letters:
            raise _error()
        return word

    def _number(self):
        text = self._take(_NUMBER).decode()
        if any(one in _FLOAT for one in text):
            if not (match := _FLOAT_FORM.fullmatch(text)):
                raise ValueError("invalid syntax for number")
            return float(match[1] + "0" + match[2])
        try:
            return int(text)
        except ValueError:
            text = text.removeprefix("-")
            raise ValueError(f"invalid syntax for integer with base 10: '{text}'") from None

    def _string(self):
        data = bytearray(self._take(_PLAIN))
        while self.byte == ord("\\"):
            if self.advance() == ord("u"):
                data += chr(self._code()).encode("utf-8", "surrogatepass")
            else:
                data.append(_ESCAPED.get(self.byte, self.byte))
            self.advance()
            data += self._take(_PLAIN)
        if not self.byte:
            raise _error()
        self.advance()
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise UnicodeError from None

    def _code(self):
        """Of four digits; what is no hexadecimal digit counts as something."""
        code = 0
        for _ in range(4):
            digit = ((self.advance() | 0x20) - ord("0")) & 0xFF
            code = code << 4 | (digit if digit <= 9 else (digit - 39) & 0xFF)
        return code


def dumps(value, *, separators=None):
    """The JSON of a value, with its characters as they are; of what JSON has not, something else."""
    between, behind_key = separators or (", ", ": ")
    try:
        return _written(value, between, behind_key)
    except RecursionError:
        raise RuntimeError("maximum recursion depth exceeded") from None


def dump(value, stream, *, separators=None):
    """Write the JSON of a value to a stream, of text or of bytes."""
    text = dumps(value, separators=separators)
    stream.write(text if isinstance(stream, io.TextIOBase) else text.encode("utf-8", "surrogatepass"))


def _written(value, between, behind_key):
    if isinstance(value, list) or type(value) is tuple:  # a named one is written as Python writes it
        return "[" + between.join([_written(item, between, behind_key) for item in value]) + "]"
    if not isinstance(value, dict):
        return _simple(value)
    items = [
        _key(_written(key, between, behind_key)) + behind_key + _written(item, between, behind_key)
        for key, item in value.items()
    ]
    return "{" + between.join(items) + "}"


def _simple(value):
    if type(value) is bytes:
        value = value.decode("utf-8", "surrogateescape")
    if isinstance(value, str):
        return '"' + _SPECIAL.sub(_escape, value) + '"'
    if isinstance(value, float):
        text = format(value, ".16g")
        return text if any(one in text for one in ".en") else text + ".0"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def _escape(match):
    return _WRITTEN.get(match[0]) or f"\\u{ord(match[0]):04x}"


def _key(written):
    return written if written[0] == '"' else f'"{written}"'


def _error():
    return ValueError("syntax error in JSON")
