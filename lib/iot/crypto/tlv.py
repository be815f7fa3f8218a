"""Steps through DER: each element is its tag, its length and its value (X.690, 8.1)."""

from micropython import const

_SEQUENCE = const(0x30)


def content(der, at):
    """Where the content of the element at `at` starts and ends; ValueError where `der` ends before."""
    start = at + 2
    length = int.from_bytes(der[at + 1 : start], "big")
    if length & 128:
        start += length & 127
        length = int.from_bytes(der[at + 2 : start], "big")
    if start + length > len(der):
        raise ValueError("damaged")
    return start, start + length


def behind(der, at):
    """Where the element at `at` ends."""
    return content(der, at)[1]


def inside(der, at):
    """Where the content of the SEQUENCE at `at` starts; ValueError where it is none."""
    if der[at] != _SEQUENCE:
        raise ValueError("damaged")
    return content(der, at)[0]
