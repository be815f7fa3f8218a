"""Improv's serial protocol as a client speaks it, by https://www.improv-wifi.com/serial."""

from collections.abc import Iterator

HEADER = b"IMPROV\x01"
STATE, ERROR, COMMAND, RESULT = 1, 2, 3, 4  # types of packets
SETTINGS, GET_STATE, GET_INFO, GET_NETWORKS = 1, 2, 3, 4  # commands
READY, PROVISIONING, PROVISIONED = 2, 3, 4  # states


def packet(kind: int, data: bytes) -> bytes:
    """With the line's end that the SDK adds."""
    whole = HEADER + bytes((kind, len(data))) + data
    return whole + bytes((sum(whole) & 0xFF, 10))


def command(number: int, data: bytes = b"") -> bytes:
    return packet(COMMAND, bytes((number, len(data))) + data)


def settings(ssid: str, password: str) -> bytes:
    texts = (ssid.encode(), password.encode())
    return command(SETTINGS, b"".join(bytes((len(text),)) + text for text in texts))


def packets(output: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and data of each packet among a console's lines; AssertionError where one is damaged."""
    parts = output.split(HEADER)
    assert all(part.endswith(b"\n") for part in parts[:-1] if part), output  # each begins a line
    for part in parts[1:]:
        kind, size = part[0], part[1]
        data, checksum = part[2 : 2 + size], part[2 + size]
        assert sum(HEADER + part[: 2 + size]) & 0xFF == checksum, part
        yield kind, data


def strings(data: bytes) -> tuple[int, list[str]]:
    """A result's command and its strings."""
    number, size, rest = data[0], data[1], data[2:]
    assert size == len(rest)
    found = []
    while rest:
        found.append(rest[1 : 1 + rest[0]].decode())
        rest = rest[1 + rest[0] :]
    return number, found
