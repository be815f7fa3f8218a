"""Puts MicroPython, the firmware's files and the label's code together, each where a board looks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tools.board import images, partitions
from tools.board.errors import BoardError
from tools.board.partitions import Partition

from . import filesystem, nvs

_ERASED = b"\xff"
_NVS = (partitions.DATA, partitions.NVS)
_OTHER = "Take your board's .bin file from its page on micropython.org."


@dataclass(frozen=True)
class Part:
    """Bytes for a place in the flash."""

    name: str
    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Made:
    """What a board gets."""

    image: images.Image  # all of it in one, which `tools flash` takes
    parts: tuple[Part, ...]  # the same without what stays erased between them


def make(image: images.Image, files: Mapping[str, bytes], firmware: str, code: str | None = None) -> Made:
    """An image with these files, by their paths on the device; the same input makes the same bytes.

    Args:
        image: MicroPython's, which is looked at no further.
        files: for its file system, whose content they replace.
        firmware: whose they are, and their version.
        code: the label's, normalised; without, each device makes one of its own at its first start.

    Raises:
        BoardError: the image has no place for them, or not enough.
    """
    listed = with_files(image)
    place = next(one for one in listed if one.name == partitions.FILES)
    contents = {place: filesystem.make(files, place.size)}
    if code:
        store = next((one for one in listed if (one.kind, one.subtype) == _NVS), None)
        if not store:
            raise BoardError("the image has no partition for the label's code", _OTHER)
        contents[store] = nvs.make(code, store.size)
    whole = images.seal(_merged(image, listed, contents), image.offset, firmware)
    parts = tuple(_parts(whole, image.offset, listed))
    return Made(replace(image, data=whole, partitions=listed, firmware=firmware), parts)


def with_files(image: images.Image) -> tuple[Partition, ...]:
    """The image's partitions; where it has none for files, that comes to them.

    MicroPython from 1.26 on makes it at each start, up to the end of the board's flash, and starts nothing
    where the file system is of another size. In the table it has the same size on every board.
    """
    if any(one.name == partitions.FILES for one in image.partitions):
        return image.partitions
    start = max(one.end for one in image.partitions)
    if start >= image.flash_bytes:
        raise BoardError("the image has no place for files", _OTHER)
    files = Partition(partitions.DATA, partitions.FAT, start, image.flash_bytes - start, partitions.FILES)
    return (*image.partitions, files)


def _merged(image: images.Image, listed: tuple[Partition, ...], contents: Mapping[Partition, bytes]) -> bytes:
    """The flash from the image's place on, to the end of the last block that is not erased."""
    end = max(image.offset + len(image.data), *(one.end for one in contents))
    whole = bytearray(image.data.ljust(end - image.offset, _ERASED))
    written = {partitions.TABLE_OFFSET: partitions.made(listed)} | {
        one.offset: data for one, data in contents.items()
    }
    for offset, data in written.items():
        start = offset - image.offset
        whole[start : start + len(data)] = data
    return _in_blocks(bytes(whole))


def _parts(whole: bytes, offset: int, listed: tuple[Partition, ...]) -> list[Part]:
    """What of it is not erased, by the names of the partitions."""
    places = [
        ("bootloader", offset, partitions.TABLE_OFFSET),
        ("partition-table", partitions.TABLE_OFFSET, partitions.TABLE_OFFSET + filesystem.BLOCK_BYTES),
        *((one.name, one.offset, one.end) for one in sorted(listed, key=lambda one: one.offset)),
    ]
    found = [
        Part(name, start, _in_blocks(whole[start - offset : end - offset])) for name, start, end in places
    ]
    return [part for part in found if part.data]


def _in_blocks(data: bytes) -> bytes:
    """All but the erased blocks at its end."""
    size = len(data.rstrip(_ERASED))
    return data[: -(-size // filesystem.BLOCK_BYTES) * filesystem.BLOCK_BYTES]
