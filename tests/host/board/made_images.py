"""Small MicroPython images, written by esptool's own writers, and partition tables as ESP-IDF writes them."""

import hashlib
import struct
from dataclasses import dataclass

from esptool.bin_image import ELFSection
from esptool.cmds import merge_bin
from esptool.targets import CHIP_DEFS

BOOTLOADER = b"bootloader" * 20
BOARD = "Made board with ESP32"
MB = 1 << 20
RAM = 0x3FFE_8000  # segments there go into an image as they are
DESCRIPTION = struct.pack("<I252x", 0xABCD5432)
NAMES = {(1, 2): b"nvs", (1, 0x81): b"vfs"}
ONE_SLOT = (
    (1, 2, 0x9000, 0x6000),
    (1, 1, 0xF000, 0x1000),
    (0, 0, 0x10000, 0x1F0000),
    (1, 0x81, 0x200000, 0x200000),
)
TWO_SLOTS = (
    (1, 2, 0x9000, 0x4000),
    (1, 0, 0xD000, 0x2000),
    (0, 0x10, 0x10000, 0x180000),
    (0, 0x11, 0x190000, 0x180000),
)


@dataclass(frozen=True)
class Made:
    """What an image is made of."""

    chip: str = "esp32"
    version: str = "v1.25.0"
    flash_size: str = "4MB"
    partitions: tuple[tuple[int, int, int, int], ...] = ONE_SLOT  # type, subtype, offset, size
    table_hash: bool = True
    revisions: tuple[int, int] = (0, 0xFFFF)
    application: bytes | None = None

    def image(self) -> bytes:
        """All of it as one file, from the bootloader on."""
        start = CHIP_DEFS[self.chip].BOOTLOADER_FLASH_OFFSET
        parts = [
            (start, self.program(BOOTLOADER)),
            (0x8000, table(self.partitions, self.table_hash)),
            (0x10000, self.program(self.application or self.micropython())),
        ]
        merged = merge_bin(parts, self.chip, target_offset=start)
        assert merged is not None
        return merged

    def micropython(self) -> bytes:
        """What an application holds that is MicroPython."""
        greeting = f"3.4.0; MicroPython {self.version} on 2025-04-15\0; {BOARD}\0"
        return DESCRIPTION + greeting.encode() + b"code" * 2000

    def program(self, content: bytes) -> bytes:
        """A bootloader or an application, with checksum and SHA-256."""
        rom = CHIP_DEFS[self.chip]
        program = rom.BOOTLOADER_IMAGE()
        program.flash_size_freq = rom.FLASH_SIZES[self.flash_size]
        program.min_rev_full, program.max_rev_full = self.revisions
        program.segments = [ELFSection(b"made", RAM, content, 0)]
        written = program.save(None)
        assert isinstance(written, bytes)
        return written


def table(partitions: tuple[tuple[int, int, int, int], ...], with_hash: bool = True) -> bytes:
    """A partition table."""
    entries = b"".join(
        struct.pack("<HBBII16sI", 0x50AA, *entry, NAMES.get(entry[:2], b"name"), 0) for entry in partitions
    )
    if with_hash:
        entries += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries).digest()
    return entries.ljust(0xC00, b"\xff")
