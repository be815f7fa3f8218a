"""Images are told apart, and none is taken that is not whole, or not MicroPython, or too old."""

import hashlib
import struct
from pathlib import Path

import pytest
from esptool.targets import CHIP_DEFS
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.host.board.made_images import BOARD, BOOTLOADER, DESCRIPTION, MB, ONE_SLOT, TWO_SLOTS, Made
from tools.board import images
from tools.board.errors import BoardError

IMAGE = Made(application=DESCRIPTION + b"MicroPython v1.25.0 on 2025-04-15\0").image()
TABLE = 0x8000 - 0x1000
APPLICATION = 0x10000 - 0x1000
HASH = TABLE + 32 * len(ONE_SLOT)
PARTS = [  # the bytes that count: between them, and beside the hash in its entry, are some that mean nothing
    *range(len(Made().program(BOOTLOADER))),
    *range(TABLE, HASH + 2),
    *range(HASH + 16, HASH + 32),
    *range(APPLICATION, len(IMAGE)),
]
HAS_HASH = 23  # where a program's header says so; without a hash there is only the checksum, of the rest
USED = [place for place in PARTS if place not in (HAS_HASH, APPLICATION + HAS_HASH)]
OFFSETS = {  # of the bootloader, by the manuals of the chips that MicroPython runs on
    **dict.fromkeys(("esp32", "esp32s2"), 0x1000),
    **dict.fromkeys(("esp32s3", "esp32c2", "esp32c3", "esp32c6", "esp32h2"), 0),
    **dict.fromkeys(("esp32c5", "esp32p4"), 0x2000),
}


def refusal(data: bytes) -> str:
    with pytest.raises(BoardError) as refused:
        images.parse(data, "x.bin")
    return str(refused.value)


@pytest.mark.parametrize("chip", OFFSETS)
def test_an_image_of_each_chip_begins_at_its_own_offset(chip: str) -> None:
    image = images.parse(Made(chip).image(), "x.bin")
    assert (image.chip, image.offset) == (CHIP_DEFS[chip].CHIP_NAME, OFFSETS[chip])
    assert (image.version, image.board) == ("v1.25.0", BOARD)


@pytest.mark.parametrize("table_hash", [True, False])
@pytest.mark.parametrize(("partitions", "slots"), [(ONE_SLOT, 1), (TWO_SLOTS, 2)])
def test_slots_are_counted(partitions: tuple, slots: int, table_hash: bool) -> None:
    assert images.parse(Made(partitions=partitions, table_hash=table_hash).image(), "x.bin").slots == slots


@pytest.mark.parametrize(
    ("flash_size", "partitions", "needed"),
    [("2MB", ONE_SLOT, 4 * MB), ("4MB", ONE_SLOT[:3], 4 * MB), ("2MB", TWO_SLOTS, 0x310000)],
)
def test_an_image_needs_what_its_header_and_its_partitions_say(
    flash_size: str, partitions: tuple, needed: int
) -> None:
    image = images.parse(Made(flash_size=flash_size, partitions=partitions).image(), "x.bin")
    assert image.flash_bytes == needed
    image.check_board(300, needed)
    with pytest.raises(BoardError, match="of flash, the board has"):
        image.check_board(300, needed - 1)


def test_another_chip_is_refused() -> None:
    image = images.parse(Made("esp32s3").image(), "x.bin")
    image.check_chip("ESP32-S3")
    with pytest.raises(BoardError, match=r"for the ESP32-S3, the board has an ESP32;.*micropython\.org"):
        image.check_chip("ESP32")


def test_another_revision_of_the_chip_is_refused() -> None:
    image = images.parse(Made(revisions=(100, 199)).image(), "x.bin")
    image.check_board(100, 4 * MB)
    image.check_board(199, 4 * MB)
    for revision in (99, 200):
        with pytest.raises(BoardError, match=r"chip revision v1\.0 to v1\.99"):
            image.check_board(revision, 4 * MB)
    with pytest.raises(BoardError, match=r"v3\.1 or newer"):
        images.parse(Made(revisions=(301, 0xFFFF)).image(), "x.bin").check_board(300, 4 * MB)


@pytest.mark.parametrize("version", ["v1.25.0", "v1.26.0-preview.70.g4d9b5c4b7", "v2.0.0", "1.25.0"])
def test_new_enough(version: str) -> None:
    assert images.parse(Made(version=version).image(), "x.bin").version == version


@pytest.mark.parametrize("version", ["v1.24.1", "v0.99", "1.9.4"])
def test_too_old(version: str) -> None:
    assert f"MicroPython {version} is too old" in refusal(Made(version=version).image())


def test_what_is_no_image() -> None:
    for data in (b"", b"\xe9", b"UF2\nWQ]\x9e" * 100, b"<!DOCTYPE html>" * 100, b"\x7fELF" * 100):
        assert "no image for an ESP32" in refusal(data)


def test_what_is_no_whole_image() -> None:
    made = Made()
    assert "application alone" in refusal(made.program(made.micropython()))
    assert "partition table is damaged or missing" in refusal(made.program(b"bootloader"))
    assert "no place for an application" in refusal(Made(partitions=ONE_SLOT[:2]).image())
    assert "no MicroPython in it" in refusal(Made(application=DESCRIPTION + b"hello world").image())
    assert "unknown chip (number 4919)" in refusal(made.image()[:12] + b"\x37\x13" + made.image()[14:])


def test_a_download_that_was_cut_off() -> None:
    for length in range(24, len(IMAGE), 97):
        assert "damaged" in refusal(IMAGE[:length])
    assert "application is damaged or cut off" in refusal(IMAGE[:-1])


@settings(deadline=None)
@given(st.sampled_from(USED), st.integers(1, 255))
def test_a_byte_that_differs_is_seen(place: int, change: int) -> None:
    data = bytearray(IMAGE)
    data[place] ^= change
    assert refusal(bytes(data))


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(IMAGE)))
def test_hostile_bytes_are_refused_or_understood(noise: bytes, place: int) -> None:
    data = IMAGE[:place] + noise + IMAGE[place + len(noise) :]
    try:
        image = images.parse(data, "x.bin")
    except BoardError:
        return
    assert (image.chip, image.version) == ("ESP32", "v1.25.0")


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.integers(0, 255), *[st.integers(0, 2**32 - 1)] * 2), max_size=95
    )
)
def test_hostile_partition_tables(partitions: list[tuple[int, int, int, int]]) -> None:
    entries = b"".join(struct.pack("<HBBII16sI", 0x50AA, *entry, b"", 0) for entry in partitions)
    entries += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries).digest()
    data = IMAGE[:TABLE] + entries.ljust(0xC00, b"\xff") + IMAGE[TABLE + 0xC00 :]
    try:
        image = images.parse(data, "x.bin")
    except BoardError:
        return
    assert image.slots == max(
        1, sum(kind == 0 and subtype in range(16, 32) for kind, subtype, *_ in partitions)
    )


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ESP32_GENERIC.bin"
    with pytest.raises(BoardError, match="no such file"):
        images.read(file)
    with pytest.raises(BoardError, match="no such file"):
        images.read(tmp_path)
    file.write_bytes(IMAGE)
    assert images.read(file).data == IMAGE
    file.write_bytes(IMAGE[:-1])
    with pytest.raises(BoardError, match=r"^ESP32_GENERIC\.bin: its application"):
        images.read(file)
