"""Syslog messages (RFC 5424), and those of a logplex drain, which lack the structured data."""

import datetime as dt
import re
from dataclasses import dataclass

_PRIORITY = re.compile(rb"<(0|[1-9][0-9]{0,2})>")
_PRIORITY_MAX = 191
_VERSION = re.compile(rb"1 ")
_TIME = re.compile(
    rb"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    rb"(?:\.([0-9]{1,6}))?(?:Z|([+-])([0-9]{2}):([0-5][0-9]))(?= )"
)
_NIL = re.compile(rb"-(?= )")
_NO_DATA = re.compile(rb"-(?= |\Z)")
_SPACE = re.compile(rb" ")
_WORDS = tuple(  # of the header, each with the most characters that it may have
    (name, re.compile(rb"([!-~]{1,%d})(?= |\Z)" % most), most)
    for name, most in (("host", 255), ("application", 48), ("process", 128), ("message id", 32))
)
_NAME = rb"([!#-<>-\\^-~]{1,32})"  # printable, but for = ] "
_ELEMENT = re.compile(rb"\[" + _NAME)
_PARAMETER = re.compile(rb" " + _NAME + rb'="((?:[^"\\\]]|\\.)*)"', re.DOTALL)
_END = re.compile(rb"\]")
_ESCAPED = re.compile(rb'\\(["\\\]])')
_BOM = b"\xef\xbb\xbf"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
Data = dict[str, list[tuple[str, str]]]
"""Structured data: by the name of each element its parameters, of which a name may come twice."""


class MalformedError(ValueError):
    """A message that is none.

    Args:
        place: the byte where it is wrong, from 0.
        reason: what is wrong there.
    """

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(f"byte {place}: {reason}")
        self.place = place
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Message:
    """One; a NILVALUE is "", a time that is none None."""

    facility: int
    severity: int
    time_ms: int | None
    host: str
    application: str
    process: str
    message_id: str
    data: Data
    text: str


class _Reader:
    """What is read of a message, from its begin on."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.at = 0

    def take(self, pattern: re.Pattern[bytes], expected: str) -> re.Match[bytes]:
        """The next piece. Raises MalformedError."""
        if found := self.match(pattern):
            return found
        raise MalformedError(self.at, f"{expected} expected")

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """The next piece, if it is such a one."""
        found = pattern.match(self.message, self.at)
        if found:
            self.at = found.end()
        return found


def parse(message: bytes, is_structured: bool = True) -> Message:
    """Read one.

    Args:
        message: without its length.
        is_structured: it has structured data, as RFC 5424 wants it; a logplex drain's not even a NILVALUE.

    Raises:
        MalformedError: it is none.
    """
    reader = _Reader(message)
    priority = int(reader.take(_PRIORITY, "a priority in <>")[1])
    if priority > _PRIORITY_MAX:
        raise MalformedError(1, f"a priority of 0 to {_PRIORITY_MAX} expected")
    reader.take(_VERSION, "version 1 and a space")
    time_ms = _time(reader)
    words = []
    for name, pattern, most in _WORDS:
        reader.take(_SPACE, f"a space before the {name}")
        word = reader.take(pattern, f"{name}: 1 to {most} printable characters of ASCII")[1].decode("ascii")
        words.append("" if word == "-" else word)
    data: Data = {}
    if is_structured:
        reader.take(_SPACE, "a space before the structured data")
        data = _structured(reader)
    host, application, process, message_id = words
    text = _text(reader)
    return Message(priority >> 3, priority & 7, time_ms, host, application, process, message_id, data, text)


def _time(reader: _Reader) -> int | None:
    """Milliseconds since 1970."""
    if reader.match(_NIL):
        return None
    place = reader.at
    *parts, fraction, sign, hours, minutes = reader.take(
        _TIME, "a time such as 2026-11-29T10:00:00.000Z, or -,"
    ).groups()
    year, month, day, hour, minute, second = map(int, parts)
    microseconds = int((fraction or b"0").ljust(6, b"0"))
    away = dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        zone = dt.timezone(-away if sign == b"-" else away)
        at = dt.datetime(year, month, day, hour, minute, second, microseconds, zone)
    except ValueError as error:
        raise MalformedError(place, f"no such time: {error}") from None
    return (at - _EPOCH) // dt.timedelta(milliseconds=1)


def _structured(reader: _Reader) -> Data:
    if reader.match(_NO_DATA):
        return {}
    data: Data = {}
    while not data or reader.message[reader.at : reader.at + 1] == b"[":
        place = reader.at
        name = reader.take(_ELEMENT, "structured data, [name …] or -,")[1].decode("ascii")
        if name in data:
            raise MalformedError(place, f"structured data {name} a second time")
        data[name] = parameters = []
        while not reader.match(_END):
            place = reader.at
            found = reader.take(_PARAMETER, f'name="value" or the end of structured data {name}')
            try:
                value = _ESCAPED.sub(rb"\1", found[2]).decode()
            except UnicodeDecodeError:
                raise MalformedError(place, f"structured data {name}: a value that is not UTF-8") from None
            parameters.append((found[1].decode("ascii"), value))
    return data


def _text(reader: _Reader) -> str:
    if reader.at == len(reader.message):
        return ""
    reader.take(_SPACE, "a space before the text")
    text = reader.message[reader.at :]
    if not text.startswith(_BOM):
        return text.decode(errors="backslashreplace").rstrip("\r\n")
    try:
        return text[len(_BOM) :].decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        place = reader.at + len(_BOM) + error.start
        raise MalformedError(place, "not UTF-8, which the byte order mark promises") from None
