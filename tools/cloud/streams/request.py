"""What a device asks for, read strictly (AWS: "Using AWS IoT MQTT-based file delivery in devices")."""

import re
from dataclasses import dataclass
from typing import Any

from .. import documents

BLOCK_BYTES = 256, 128 * 1024
"""The smallest block and the largest; the latter is also what one request brings at the most."""

_BLOCKS = 98_304  # in the largest file, by the smallest block
_BITMAP_BYTES = 12_288  # it must have fewer
_FILES = 255
_TOKEN_BYTES = 64
_BITMAP = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})+)")


class Refused(Exception):
    """A request that is answered on `rejected`; `code` is AWS's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wanted:
    """Blocks of a file: their numbers as they are asked for, no more than one request brings."""

    version: int | None
    file_id: int
    size: int
    blocks: list[int]


def read(payload: bytes) -> dict[str, Any]:
    """The object that a payload is. Raises Refused."""
    try:
        return documents.load(payload.decode())
    except ValueError as error:  # UnicodeDecodeError, too
        raise Refused("InvalidJson", f"the request {error}") from None


def client_token(request: dict[str, Any]) -> str | None:
    """What comes back with each answer. Raises Refused."""
    token = request.get("c")
    if token is not None and (not isinstance(token, str) or len(token.encode()) > _TOKEN_BYTES):
        raise Refused("InvalidRequest", f"c: must be a string of at most {_TOKEN_BYTES} bytes")
    return token


def wanted(request: dict[str, Any]) -> Wanted:
    """The blocks that a GetStream asks for; that the file has them is not known here. Raises Refused."""
    version, file_id = _number(request, "s"), _number(request, "f")
    size, offset, count = _number(request, "l"), _number(request, "o"), _number(request, "n")
    if file_id is None or size is None:
        raise Refused("InvalidRequest", "f and l: both are needed")
    if not 0 <= file_id <= _FILES:
        raise Refused("InvalidRequest", f"f: must be 0 to {_FILES}")
    least, most = BLOCK_BYTES
    if not least <= size <= most:
        raise Refused("BlockSizeOutOfBounds", f"l: must be {least} to {most}")
    if not 0 <= (offset or 0) <= _BLOCKS:
        raise Refused("OffsetOutOfBounds", f"o: must be 0 to {_BLOCKS}")
    if count is not None and not 0 <= count <= _BLOCKS:
        raise Refused("BlockCountLimitExceeded", f"n: must be 0 to {_BLOCKS}")
    at_once = most // size
    limit = at_once if count is None else min(count, at_once)
    steps = list(range(limit)) if request.get("b") is None else _bits(request["b"])
    return Wanted(version, file_id, size, [(offset or 0) + step for step in steps[:limit]])


def _bits(text: Any) -> list[int]:
    """The bits that are set in a bitmap: its first byte has those from 0 to 7, bit 0 being worth 1."""
    found = _BITMAP.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Refused("InvalidRequest", "b: must be bytes in hexadecimal digits, two each, such as 0x130080")
    bitmap = bytes.fromhex(found[1])
    if len(bitmap) >= _BITMAP_BYTES:
        raise Refused("BlockBitmapLimitExceeded", f"b: must have less than {_BITMAP_BYTES} bytes")
    value = int.from_bytes(bitmap, "little")
    return [bit for bit in range(len(bitmap) * 8) if value >> bit & 1]


def _number(request: dict[str, Any], name: str) -> int | None:
    value = request.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise Refused("InvalidRequest", f"{name}: must be a whole number")
    return value
