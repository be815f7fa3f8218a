"""A body of syslog messages, each behind its length in bytes: octet counting (RFC 6587, 3.4.1)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LENGTH = re.compile(rb"([1-9][0-9]{0,9}) ")


@dataclass(frozen=True, slots=True)
class Frame:
    """One, or what stands where one should.

    Args:
        number: from 1.
        place: where in the body `data` begins, in bytes.
        data: the message.
        problem: why it is none; "" where it is one.
    """

    number: int
    place: int
    data: bytes
    problem: str = ""


def split(body: bytes) -> Iterator[Frame]:
    """All of the body, in pieces: behind a length that is wrong nobody knows where the next begins."""
    at = number = 0
    while at < len(body):
        number += 1
        found = _LENGTH.match(body, at)
        if not found:
            yield Frame(number, at, body[at:], "no length in bytes and a space at its begin")
            return
        start, length = found.end(), int(found[1])
        at = start + length
        data = body[start:at]
        if len(data) < length:
            yield Frame(number, start, data, f"it says {length} bytes, and {len(data)} are there")
            return
        yield Frame(number, start, data)
