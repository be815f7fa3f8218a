"""MicroPython images for the ESP32 family: what is in one, whether it is whole, and whether it fits a board.

An image is one file for the flash from the bootloader's place on: bootloader, partition table, application.
Their formats are ESP-IDF's (docs.espressif.com/projects/esp-idf: "App Image Format", "Partition Tables"). One
that `tools image` made has the firmware's files, too. It says so behind the partition table, where the images
of MicroPython itself are erased: whose firmware that is, and a SHA-256 over all of it.
"""

import hashlib
import io
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

from esptool.bin_image import ESP32FirmwareImage
from esptool.loader import ESPLoader
from esptool.targets import ROM_LIST
from esptool.util import flash_size_bytes

from . import partitions
from .errors import BoardError
from .partitions import Partition
from .repl import OLDEST

MB = 1 << 20
DOWNLOAD = "Take your board's .bin file (no .app-bin, .uf2 or .elf) from its page on micropython.org."
ARCHITECTURES = {  # by the ends of the boards' names, as mpy-cross calls them
    **dict.fromkeys(("ESP32", "ESP32S2", "ESP32S3"), "xtensawin"),
    **dict.fromkeys(("ESP32C2", "ESP32C3", "ESP32C5", "ESP32C6", "ESP32H2", "ESP32P4"), "rv32imc"),
}
_CHIPS = {rom.IMAGE_CHIP_ID: rom for rom in ROM_LIST if hasattr(rom, "IMAGE_CHIP_ID")}

_ANY_REVISION = 0xFFFF  # as the newest; images of old say 0
_HEADER = 24  # bytes before the first segment's own header
_DESCRIPTION = (_HEADER + 8, struct.pack("<I", 0xABCD5432))  # where an application says that it is one
_HASH_BYTES = 32  # SHA-256, behind an application
_OTA_SLOTS = range(0x10, 0x20)
_SEAL = struct.Struct(f"{0x400 - _HASH_BYTES}s{_HASH_BYTES}s")
_SEAL_OFFSET = partitions.TABLE_OFFSET + partitions.TABLE_BYTES
_ERASED = b"\xff"

_VERSION = re.compile(rb"MicroPython (v?(\d{1,4})\.(\d{1,4})[\w.+-]{0,80}) on \d{4}-\d\d-\d\d")
_BOARD = re.compile(rb"; ([ -~]{1,80} with ESP32\w*)\0")  # the end of the REPL's greeting


@dataclass(frozen=True)
class Application:
    """What an image has in one of its partitions for applications: all of MicroPython."""

    data: bytes = field(repr=False)
    version: str  # MicroPython's
    board: str  # in the words of its build, as `sys.implementation._machine`; empty if it does not say


@dataclass(frozen=True)
class Image:
    """A whole MicroPython image."""

    data: bytes = field(repr=False)
    chip: str  # as esptool calls it: "ESP32", "ESP32-S3"
    revisions: tuple[int, int]  # of the chip, from and to, times 100
    offset: int  # where in the flash it begins
    flash_bytes: int  # the smallest flash that holds all its partitions
    slots: int  # for applications
    version: str  # MicroPython's
    board: str  # in the words of its build; empty if it does not say
    application: Application = field(repr=False)
    partitions: tuple[Partition, ...] = field(repr=False)  # of its table
    firmware: str  # whose files it has, and their version; empty for MicroPython alone

    @property
    def architecture(self) -> str:
        """As mpy-cross calls it; BoardError where there is no firmware for the chip."""
        found = ARCHITECTURES.get(self.chip.replace("-", ""))
        if not found:
            raise BoardError(f"no firmware for the {self.chip}", DOWNLOAD)
        return found

    def check_chip(self, chip: str) -> None:
        """Raise BoardError if the image is for another chip."""
        if chip != self.chip:
            raise BoardError(f"the image is for the {self.chip}, the board has an {chip}", DOWNLOAD)

    def check_board(self, revision: int, flash_bytes: int) -> None:
        """Raise BoardError if the image needs another revision of the chip (times 100), or more flash."""
        oldest, newest = self.revisions
        if not oldest <= revision <= newest:
            until = "or newer" if newest == _ANY_REVISION else f"to {_revision(newest)}"
            wanted = f"{_revision(oldest)} {until}"
            raise BoardError(
                f"the image is for chip revision {wanted}, the board's is {_revision(revision)}",
                "Take the file for your revision from your board's page on micropython.org.",
            )
        if flash_bytes < self.flash_bytes:
            needed, there = megabytes(self.flash_bytes), megabytes(flash_bytes)
            raise BoardError(
                f"the image needs {needed} of flash, the board has {there}",
                "Take a file for the size of your board's flash from its page on micropython.org.",
            )


def read(path: Path) -> Image:
    """The image in a file; BoardError if there is none, or none that is whole and new enough."""
    if not path.is_file():
        raise BoardError(f"{path}: no such file", DOWNLOAD)
    try:
        return parse(path.read_bytes(), path.name)
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}", "Have its owner let you read it.") from None


def parse(data: bytes, name: str) -> Image:
    """The image in `data`, which errors call `name`; BoardError as for read()."""
    rom = _chip(data, name)
    if _is_alone(data):
        raise BoardError(f"{name}: an application alone, without bootloader and partition table", DOWNLOAD)
    bootloader = _program(rom, data, name, "bootloader")
    listed = _partitions(rom, data, name)
    applications = sorted((p for p in listed if p.kind == partitions.APPLICATION), key=lambda p: p.offset)
    if not applications:
        raise BoardError(f"{name}: no place for an application in its partition table", DOWNLOAD)
    start = max(0, applications[0].offset - rom.BOOTLOADER_FLASH_OFFSET)
    found = _application(rom, data[start : start + applications[0].size], name)
    sizes = {code: flash_size_bytes(size) for size, code in rom.FLASH_SIZES.items()}
    return Image(
        data,
        rom.CHIP_NAME,
        (bootloader.min_rev_full, bootloader.max_rev_full or _ANY_REVISION),
        rom.BOOTLOADER_FLASH_OFFSET,
        max(sizes.get(data[3] & 0xF0, 0), *(p.end for p in listed)),
        sum(p.subtype in _OTA_SLOTS for p in applications) or 1,
        found.version,
        found.board,
        found,
        tuple(listed),
        _firmware(data, rom.BOOTLOADER_FLASH_OFFSET, name),
    )


def seal(data: bytes, offset: int, firmware: str) -> bytes:
    """An image for that place in the flash, which says whose files it has, and that it is whole."""
    start = _SEAL_OFFSET - offset
    hashed = hashlib.sha256(firmware.encode() + data[:start] + data[start + _SEAL.size :]).digest()
    told = firmware.encode().ljust(_SEAL.size - _HASH_BYTES, _ERASED)
    return data[:start] + _SEAL.pack(told, hashed) + data[start + _SEAL.size :]


def application(data: bytes, name: str) -> Application:
    """The application of a whole image, or of an .app-bin, which is it alone; BoardError as for read()."""
    rom = _chip(data, name)
    return _application(rom, data, name) if _is_alone(data) else parse(data, name).application


def megabytes(size: int) -> str:
    """Bytes of flash as they are printed on boards: whole megabytes, rounded up."""
    return f"{-(-size // MB)} MB"


def _chip(data: bytes, name: str) -> type[ESPLoader]:
    if len(data) < _HEADER or data[0] != ESPLoader.ESP_IMAGE_MAGIC:
        raise BoardError(f"{name}: no image for an ESP32", DOWNLOAD)
    (number,) = struct.unpack_from("<H", data, 12)
    if number not in _CHIPS:
        raise BoardError(f"{name}: an image for an unknown chip (number {number})", DOWNLOAD)
    return _CHIPS[number]


def _is_alone(data: bytes) -> bool:
    """Whether it is an application without bootloader and partition table."""
    start, magic = _DESCRIPTION
    return data.startswith(magic, start)


def _application(rom: type[ESPLoader], data: bytes, name: str) -> Application:
    """The application that `data` begins with, without what lies behind it."""
    program = _program(rom, data, name, "application")
    end = program.data_length + _HASH_BYTES if program.append_digest else len(data)
    version, board = _micropython(data, name)
    return Application(data[:end], version, board)


def _program(rom: type[ESPLoader], data: bytes, name: str, part: str) -> ESP32FirmwareImage:
    """Bootloader or application as esptool reads it, with its checksum and, mostly, SHA-256 right."""
    damaged = BoardError(
        f"{name}: its {part} is damaged or cut off",
        "Download it again, and see that the file has the size that the page tells.",
    )
    try:
        program = rom.BOOTLOADER_IMAGE(io.BytesIO(data))
    except (RuntimeError, struct.error, TypeError):  # in these ways esptool says that the data ends too early
        raise damaged from None
    whole = program.checksum == program.calculate_checksum()
    if not whole or (program.append_digest and program.stored_digest != program.calc_digest):
        raise damaged
    return program


def _partitions(rom: type[ESPLoader], data: bytes, name: str) -> list[Partition]:
    start = partitions.TABLE_OFFSET - rom.BOOTLOADER_FLASH_OFFSET
    try:
        return partitions.parse(data[start : start + partitions.TABLE_BYTES])
    except ValueError:
        raise BoardError(f"{name}: its partition table is damaged or missing", DOWNLOAD) from None


def _firmware(data: bytes, offset: int, name: str) -> str:
    """Whose files it has, and their version; BoardError if anything of such an image is damaged."""
    told, hashed = _SEAL.unpack_from(data, _SEAL_OFFSET - offset)
    if hashed == _ERASED * _HASH_BYTES:
        return ""
    firmware = told.rstrip(_ERASED).decode(errors="replace")
    if data != seal(data, offset, firmware):
        raise BoardError(f"{name}: its files are damaged or cut off", "Make it anew: python3 -m tools image.")
    return firmware


def _micropython(application: bytes, name: str) -> tuple[str, str]:
    """MicroPython's version and the board's name; BoardError if it is none, or too old."""
    found = _VERSION.search(application)
    if not found:
        raise BoardError(f"{name}: no MicroPython in it", DOWNLOAD)
    version = found[1].decode()
    if (int(found[2]), int(found[3])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise BoardError(
            f"{name}: MicroPython {version} is too old",
            f"Take v{oldest} or newer from your board's page on micropython.org.",
        )
    board = _BOARD.search(application)
    return version, board[1].decode() if board else ""


def _revision(number: int) -> str:
    return f"v{number // 100}.{number % 100}"
