"""One image for a board: what is in it is where a board looks for it, and nothing of it may be damaged."""

import argparse
import hashlib
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from documents import claim

from firmware import settings
from tests.host.board.fake_chip import FakeChip
from tests.host.board.made_images import MB, ONE_SLOT, TWO_SLOTS, Made, table
from tests.host.image.nvs_reader import read as read_nvs
from tests.patience import PATIENCE_S
from tools.board import flash, images, partitions
from tools.board.errors import BoardError
from tools.image import build, cli, contents
from tools.sim import Device, World
from tools.sim.cpython import load_shim
from tools.sim.cpython.lfs import VfsLfs2
from tools.sim.packed import deployed

FIRMWARE = "lamp 1.0"
CODE = "8WECNRT2NN7C"
FILES = {"boot.py": b"boot", "firmware.pack": os.urandom(100_000), "empty": b"", "lib/one.mpy": b"M" * 5000}
# As MicroPython 1.26 and newer have it: the place for files is made at a start.
NO_FILES = ONE_SLOT[:3]
OLD = Made(partitions=(*TWO_SLOTS, (1, 0x81, 0x310000, 0xF0000))).image()
NEW = Made(partitions=NO_FILES).image()
S3 = Made("esp32s3", flash_size="8MB", partitions=NO_FILES).image()
WHOLE = build.make(images.parse(NEW, "x.bin"), FILES, FIRMWARE, CODE).image.data
esp32 = load_shim("_world") and load_shim("esp32")


def partition(data: bytes, name: str) -> bytes:
    """A partition of an image, as a chip's flash has it."""
    image = images.parse(data, "made.bin")
    (place,) = [one for one in image.partitions if one.name == name]
    flashed = (b"\xff" * image.offset + data).ljust(image.flash_bytes, b"\xff")
    return flashed[place.offset : place.end]


class Blocks:
    """A partition as a block device, by MicroPython's protocol."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readblocks(self, number: int, buffer: bytearray, offset: int = 0) -> None:
        start = number * 4096 + offset
        buffer[:] = self._data[start : start + len(buffer)]

    def writeblocks(self, number: int, buffer: bytes, offset: int) -> int:
        raise AssertionError("a mount and a read write nothing")

    def ioctl(self, request: int, argument: int) -> int:
        return {4: len(self._data) // 4096, 5: 4096}.get(request, 0)


def files_of(data: bytes) -> dict[str, bytes]:
    """All files of an image, read with the settings that MicroPython mounts with."""
    vfs, found, waiting = VfsLfs2(Blocks(partition(data, "vfs"))), {}, [""]
    while waiting:
        folder = waiting.pop()
        for name, kind, _, size in vfs.ilistdir("/" + folder):
            if kind == 0x4000:
                waiting.append(f"{folder}{name}/")
                continue
            with vfs.open(f"/{folder}{name}", "rb") as file:
                found[folder + name] = file.read()
            assert len(found[folder + name]) == size
    return found


@pytest.mark.parametrize(
    ("image", "place"),
    [(OLD, (0x310000, 4 * MB)), (NEW, (0x200000, 4 * MB)), (S3, (0x200000, 8 * MB))],
    ids=["in the table", "made at a start", "another chip"],
)
def test_everything_is_where_a_board_looks_for_it(image: bytes, place: tuple[int, int]) -> None:
    before = images.parse(image, "stock.bin")
    made = build.make(before, FILES, FIRMWARE, CODE)
    again = images.parse(made.image.data, "made.bin")
    assert (before.firmware, again.firmware, again) == ("", FIRMWARE, made.image)
    (files,) = [(one.offset, one.end) for one in again.partitions if one.name == "vfs"]
    assert files == place and again.flash_bytes == place[1] == before.flash_bytes
    assert files_of(again.data) == FILES
    assert read_nvs(partition(again.data, "nvs")) == {("iot", "code"): CODE.encode()}
    assert again.application == before.application
    flashed = bytearray(b"\xff" * len(again.data))
    for part in made.parts:
        start = part.offset - again.offset
        assert flashed[start : start + len(part.data)].count(0xFF) == len(part.data), "parts overlap"
        flashed[start : start + len(part.data)] = part.data
    assert flashed == again.data
    assert build.make(again, FILES, FIRMWARE, CODE) == build.make(before, FILES, FIRMWARE, CODE) == made


@pytest.mark.parametrize("listed", [ONE_SLOT, TWO_SLOTS], ids=["one slot", "two"])
def test_a_partition_table_is_written_as_esp_idf_writes_it(
    listed: tuple[tuple[int, int, int, int], ...],
) -> None:
    written = table(listed)
    assert partitions.made(partitions.parse(written)) == written
    with pytest.raises(ValueError, match="no room"):
        partitions.made(partitions.parse(written) * 24)


def test_without_a_code_nvs_is_left_to_the_device() -> None:
    made = build.make(images.parse(NEW, "x.bin"), FILES, FIRMWARE)
    assert set(partition(made.image.data, "nvs")) == {0xFF}
    assert [part.name for part in made.parts] == ["bootloader", "partition-table", "name", "vfs"]


@pytest.mark.micropython
def test_micropython_itself_reads_it(tmp_path: Path) -> None:
    """Its own littlefs, on a unix binary."""
    (tmp_path / "vfs.bin").write_bytes(partition(WHOLE, "vfs"))
    program = f"""
import os, vfs, hashlib, binascii
class Blocks:
    def __init__(self):
        self.file = open({str(tmp_path / "vfs.bin")!r}, "rb")
    def readblocks(self, n, buffer, offset=0):
        self.file.seek(n * 4096 + offset)
        self.file.readinto(buffer)
    def ioctl(self, request, _):
        return {{4: {2 * MB} // 4096, 5: 4096}}.get(request, 0)
vfs.mount(vfs.VfsLfs2(Blocks()), "/f")
for path in {sorted(FILES)}:
    with open("/f/" + path, "rb") as file:
        print(path, str(binascii.hexlify(hashlib.sha256(file.read()).digest()), "ascii"))
"""
    command = [os.environ["MICROPYTHON"], "-X", "heapsize=4m", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    expected = [f"{path} {hashlib.sha256(FILES[path]).hexdigest()}" for path in sorted(FILES)]
    assert (done.stdout.splitlines(), done.stderr) == (expected, "")


@pytest.mark.parametrize("place", [0x8C01, 0x9010, 0x20_0100, 0x8FF0, -4097])
def test_what_is_damaged_or_cut_off_is_refused(place: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[place - 0x1000 if place > 0 else place] ^= 1
    for data in (bytes(damaged), WHOLE[:-4096], WHOLE + b"\xff"):
        with pytest.raises(BoardError, match="its files are damaged or cut off"):
            images.parse(data, "x.bin")


@pytest.mark.parametrize(
    ("made", "files", "code", "text"),
    [
        (Made(partitions=NO_FILES), {"large": os.urandom(2 * MB)}, None, "do not fit .* has 2,097,152"),
        (Made(partitions=(*NO_FILES, (1, 0x80, 0x200000, 2 * MB))), {}, None, "no place for files"),
        (Made(partitions=NO_FILES[1:]), {}, CODE, "no partition for the label's code"),
    ],
    ids=["too much", "no place", "no store"],
)
def test_an_image_that_cannot_hold_it(
    made: Made, files: dict[str, bytes], code: str | None, text: str
) -> None:
    with pytest.raises(BoardError, match=text):
        build.make(images.parse(made.image(), "x.bin"), files, FIRMWARE, code)


def run(verb: Any, *arguments: object) -> int:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    status: int = verb.main(parser.parse_args([str(argument) for argument in arguments]))
    return status


async def test_from_the_command_line_to_the_mode_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file system is that of a deployment; with it and the code a simulated device starts."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    (tmp_path / "stock.bin").write_bytes(OLD)
    configuration = claim()
    (tmp_path / "board.json").write_text(json.dumps(configuration))
    out, parts = tmp_path / "board.bin", tmp_path / "parts"
    arguments = (tmp_path / "stock.bin", out, "--no-packages", "--code", "8wec-nrt2-nn7c", "--parts", parts)
    assert run(cli, *arguments, "--product", tmp_path / "board.json", "--json") == 0
    told = json.loads(capsys.readouterr().out)["value"]
    assert (told["chip"], told["code"], told["bytes"]) == ("ESP32", "8WEC-NRT2-NN7C", out.stat().st_size)
    assert json.loads((parts / "parts.json").read_text()) == told
    for part in told["parts"]:
        start = part["offset"] - told["offset"]
        assert (parts / part["path"]).read_bytes() == out.read_bytes()[start : start + part["bytes"]]
    assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE((parts / "nvs.bin").stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "board.bin",
        "board.json",
        "parts",
        "stock.bin",
    ]
    files = files_of(out.read_bytes())
    assert files.pop("built.txt") == b"2027 01 15 08 00 00\n"
    del configuration["wifi"]
    assert json.loads(files.pop(contents.PRODUCT)) == configuration
    assert {f"/{path}": data for path, data in files.items()} == deployed()

    with FakeChip() as chip:
        assert run(flash, chip.port, out, "--yes") == 0
    printed = capsys.readouterr().out
    assert f"with {settings.PRODUCT} {settings.VERSION}: no deployment is needed" in printed
    assert f"next   python3 -m tools configure {chip.port} FILE, or set it up by phone" in printed
    assert chip.flash[0x1000:].startswith(out.read_bytes())

    async with World({}) as world:
        device = Device(tmp_path / "device", world)
        (tmp_path / "device/vfs.bin").write_bytes(chip.flash[0x310000:])
        (tmp_path / "device/nvs/iot").mkdir()
        code = read_nvs(bytes(chip.flash[0x9000:0xD000]))["iot", "code"]
        assert isinstance(code, bytes)
        (tmp_path / "device/nvs/iot/code").write_bytes(bytes([esp32._BLOB]) + code)
        async with device:
            await device.expect("system: mode CONFIG")
            await device.expect("ble: code 8WEC-NRT2-NN7C")


def test_a_product_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stock.bin").write_bytes(NEW)
    (tmp_path / "product.json").write_text('{"aws": {}}')
    product = tmp_path / "product.json"
    assert run(cli, tmp_path / "stock.bin", tmp_path / "x.bin", "--product", product) == 1
    assert "aws.endpoint: missing" in capsys.readouterr().err and not (tmp_path / "x.bin").exists()


def test_a_device_whose_settings_have_a_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stock.bin").write_bytes(NEW)
    monkeypatch.setattr("tools.board.settings.values", lambda: {"SETUP_CODE": CODE})
    assert run(cli, tmp_path / "stock.bin", tmp_path / "x.bin", "--code", "new") == 1
    assert "SETUP_CODE" in capsys.readouterr().err
    assert not (tmp_path / "x.bin").exists()
