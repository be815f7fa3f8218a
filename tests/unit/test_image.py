"""An image on its way into a partition, as far as it needs no chip; tests/host/test_image.py has the cuts."""

import hashlib
import io
import sys

from check import raises
from fakes import FakeLog, FakeNVS, forget
from iot.memory import borrow
from iot.ota import forms
from updates import IMAGE as LINES
from updates import text

BLOCK = 65536
HEADER = b"\xe9\x01" + bytes(22)
IMAGE = HEADER + bytes(range(256)) * 300  # a block and a piece of one
HASHES = hashlib.sha256(IMAGE[:BLOCK]).digest() + hashlib.sha256(IMAGE[BLOCK:]).digest()
FILE = HASHES + IMAGE


class Partition:
    """One of two, of 20 pages."""

    def __init__(self, label, data=b""):
        self.label = label
        self.data = bytearray(20 * 4096)
        self.data[: len(data)] = data
        self.following = self
        self.is_next = self.is_valid = False

    def info(self):
        return 0, 16, 0, len(self.data), self.label, False

    def get_next_update(self):
        return self.following

    def readblocks(self, number, buffer, offset=0):
        at = number * 4096 + offset
        memoryview(buffer)[:] = memoryview(self.data)[at : at + len(buffer)]

    def writeblocks(self, number, buffer):
        assert len(buffer) == 4096
        self.data[number * 4096 : (number + 1) * 4096] = buffer

    def set_boot(self):
        self.is_next = True

    def mark_app_valid_cancel_rollback(self):
        self.is_valid = True


class Kept:
    """A file that closing does not end."""

    def __init__(self, file):
        self.readinto, self.write = file.readinto, file.write

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


class Chip:
    """The module `esp32` within a `with`: the first of its partitions runs."""

    def __init__(self):
        self.own, self.other = Partition("ota_0", HEADER), Partition("ota_1")
        self.own.following = self.other
        self.nvs, self.log, self.files = FakeNVS(), FakeLog(), {}
        self.Partition = self
        self.RUNNING = 1

    def __call__(self, number):
        return self.own

    def target(self, manifest=None, is_listed=True):
        module = borrow("iot.ota.image")
        module.open = self.open
        module._remove = self.files.clear
        return module.Target(self.nvs, manifest or said(), bytearray(4096), self.log, is_listed)

    def open(self, name, mode):
        """A file that is not the host's."""
        if mode == "rb" and name not in self.files:
            raise OSError(2)
        self.files.setdefault(name, io.BytesIO()).seek(0)
        return Kept(self.files[name])

    def __enter__(self):
        forget("iot.ota.image", "iot.ota.partitions")
        sys.modules["esp32"] = self
        return self

    def __exit__(self, *error):
        del sys.modules["esp32"]
        forget("iot.ota.image", "iot.ota.partitions")


def digest(data):
    return "".join(["{:02x}".format(byte) for byte in hashlib.sha256(data).digest()])


def said(file=FILE, list_=HASHES, **members):
    blocks = "{} {}".format(len(list_) // 32, digest(list_))
    lines = text(LINES, size=str(len(file)), sha256=digest(file), blocks=blocks)
    return dict(forms.manifest(lines), **members)


def feed(target, data, size=1000):
    """Through the buffer that the target has, as a connection does: the first of it come behind a head."""
    buffer = memoryview(target._buffer)
    at = kept = 0
    start = 300
    while at < len(data):
        piece = data[at : at + min(size, len(buffer) - kept - start)]
        at += len(piece)
        place = buffer[kept + start : kept + start + len(piece)]
        place[:] = piece
        kept, start = target.write(place), 0


def test_what_comes_in_any_pieces_is_written_and_tried():
    for size in (1, 1000, 4096, 5000, len(FILE)):
        with Chip() as chip:
            target = chip.target()
            assert target.start == 0
            feed(target, FILE, size)
            target.close()
            target.finish()
            assert chip.other.data[: len(IMAGE)] == IMAGE and chip.other.is_next
            partitions = borrow("iot.ota.partitions")
            assert partitions.on_trial(chip.nvs) == "ota_1" and partitions.running() == "ota_0"
            chip.own = chip.other
            partitions.confirm(chip.nvs)
            partitions.end_trial(chip.nvs, True)
            assert chip.other.is_valid and partitions.on_trial(chip.nvs) == ""
            assert partitions.mark(chip.nvs) == digest(said()["text"])


def test_it_goes_on_where_it_stood():
    with Chip() as chip:
        feed(chip.target(), FILE[: 64 + BLOCK + 5000])
        target = chip.target()
        assert target.start == 64 + BLOCK
        chip.other.data[5] ^= 1
        target = chip.target()
        assert target.start == 64
        feed(target, FILE[64:])
        target.finish()
        raises(ValueError, "on trial itself", chip.target)
        borrow("iot.ota.partitions").end_trial(chip.nvs, False)
        assert chip.target().start == 0, "the list is not kept beyond that"


def test_what_is_wrong_is_refused():
    with Chip() as chip:
        target = chip.target()
        wrong = FILE[:5000] + b"!" + FILE[5001:]
        raises(ValueError, "block 0: its hash begins with", feed, target, wrong)
        raises(ValueError, "the list of blocks", feed, chip.target(said(list_=bytes(64))), FILE)
        other = IMAGE[:12] + b"\x09" + IMAGE[13:]
        listed = hashlib.sha256(other[:BLOCK]).digest() + HASHES[32:]
        raises(
            ValueError,
            "no image for this chip",
            feed,
            chip.target(said(listed + other, listed)),
            listed + other,
        )
        target = chip.target(said(sha256="0" * 64))
        feed(target, FILE[target.start :])
        raises(ValueError, "the file: its hash begins with", target.finish)
        chip.other.data = bytearray(len(IMAGE) - 1)
        raises(ValueError, "this board's partition for it 76823 (wrong software)", chip.target)
        chip.own.following = chip.own
        raises(ValueError, "no second slot", chip.target)


def test_flash_that_gives_back_something_else_is_told_from_a_wrong_file():
    with Chip() as chip:
        target = chip.target()
        feed(target, FILE)
        chip.other.data[BLOCK + 1] ^= 1
        raises(OSError, "block 1: flash does not give back", target.finish)
        assert not chip.other.is_next


def test_without_its_list_what_comes_is_listed_and_compared_at_the_end():
    with Chip() as chip:
        target = chip.target(is_listed=False)
        feed(target, IMAGE)
        target.finish()
        assert chip.other.is_next
        borrow("iot.ota.partitions").end_trial(chip.nvs, False)
        target = chip.target(is_listed=False)
        feed(target, IMAGE[:-1] + b"!")
        raises(ValueError, "what the patch makes: its hash begins with", target.finish)


def test_numbers_in_nvs_that_a_cut_has_taken_are_no_trial():
    with Chip() as chip:
        partitions = borrow("iot.ota.partitions")
        assert partitions.on_trial(chip.nvs) == "" == partitions.mark(chip.nvs)
        chip.nvs.set_i32("image", 1)
        assert partitions.on_trial(chip.nvs) == ""
        partitions.end_trial(chip.nvs, False)
        assert chip.nvs.values == {"image": 0}
