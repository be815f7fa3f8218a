import sys

from check import raises
from fakes import forget

CLASSIC = (240, 7288, 16648, 85992, 15072, 113840)


class Chip:
    """Stands for modules of a chip with these regions of ESP-IDF's heap, `bluetooth` among them."""

    HEAP_DATA = 4
    SOFT_RESET = 5
    UUID = "a UUID"
    BLE = "all else"

    def __init__(self, regions, cause):
        self._regions = regions
        self._cause = cause
        self.taken = []

    def reset_cause(self):
        return self._cause

    def idf_heap_info(self, kind):
        assert kind == self.HEAP_DATA
        return [(size, size, size, size) for size in self._regions]

    def bytearray_at(self, address, size):
        self.taken.append((address, size))
        return bytearray(size)


class Pack:
    """Stands for the module, its class, and the pack that is mounted."""

    def __init__(self, index):
        self.Pack = self.mounted = self
        self.index = index


class Flash:
    def __init__(self, stored):
        self.memory = bytearray(stored)


class Imports:
    """While in a `with`, those modules are there, and none of the others of a chip's that count."""

    NAMES = ("esp32", "machine", "uctypes", "bluetooth", "aioble", "pack")

    def __init__(self, **modules):
        self._modules = modules

    def __enter__(self):
        self._before = {name: sys.modules.pop(name, None) for name in self.NAMES}
        sys.modules.update(self._modules)
        forget("iot.bt_memory")

    def __exit__(self, *error):
        forget("iot.bt_memory")
        for name, module in self._before.items():
            sys.modules.pop(name, None)
            if module:
                sys.modules[name] = module


def take(regions, *sizes, flash=None, cause=1, **modules):
    """What `take` returns on such a chip, where it took it, and what `bluetooth` is from then on."""
    chip = Chip(regions, cause)
    with Imports(esp32=chip, machine=chip, uctypes=chip, bluetooth=chip, **modules):
        from iot import bt_memory

        return bt_memory.take(flash, *sizes), chip.taken, sys.modules["bluetooth"]


def test_buffers_lie_one_behind_the_other():
    buffers, taken, _ = take(CLASSIC, 7000, 8000)
    assert [len(buffer) for buffer in buffers] == [7000, 8000]
    assert taken[-2:] == [(0x3FFB0000, 7000), (0x3FFB1B58, 8000)]


def test_there_is_enough_for_a_claim():
    assert [len(buffer) for buffer in take(CLASSIC, 2048, 3072)[0]] == [6144, 6144]


def test_all_of_it_and_no_byte_more():
    assert take(CLASSIC, 15480, 10000)[1][-2:] == [(0x3FFB0000, 15480), (0x3FFB3C78, 10000)]
    buffers, taken, bluetooth = take(CLASSIC, 15480, 10001)
    assert buffers is None and not taken and bluetooth.BLE


def test_the_index_of_the_pack_goes_first():
    pack = Pack(b"index")
    buffers, taken, _ = take(CLASSIC, 7000, pack=pack)
    assert taken == [(0x3FFB0000, 5), (0x3FFB0005, 7000)]
    assert len(buffers) == 1 and len(buffers[0]) == 7000
    assert isinstance(pack.index, bytearray) and bytes(pack.index) == b"index"


def test_and_then_the_bytes_of_the_application():
    pack, flash = Pack(b"index"), Flash(b"256 bytes")
    before = flash.memory
    buffers, taken, _ = take(CLASSIC, 7000, flash=flash, pack=pack)
    assert taken == [(0x3FFB0000, 5), (0x3FFB0005, 9), (0x3FFB000E, 7000)] and len(buffers) == 1
    assert bytes(pack.index) == b"index"
    assert bytes(flash.memory) == b"256 bytes" and flash.memory is not before


def test_both_stay_where_there_is_no_such_memory():
    index = b"index"
    pack, flash = Pack(index), Flash(b"256 bytes")
    before = flash.memory
    take((), 16, flash=flash, pack=pack)
    assert pack.index is index and flash.memory is before
    assert not take(CLASSIC, 25467, flash=flash, pack=pack)[1]
    assert pack.index is index and flash.memory is before


def test_where_the_chip_has_no_such_memory_there_is_none():
    for regions in (
        (7288, 16648, 85992, 15072, 113840, 5000),  # ESP-IDF's heap does not end where it begins
        (240, 16648, 85992, 15072, 113840, 5000),  # nor begin where it ends
        CLASSIC + (25480,),  # it was released to that heap
        CLASSIC + (4194304,),  # PSRAM
        (262144, 32768),  # another chip
        (),
    ):
        buffers, taken, bluetooth = take(regions, 16, 32)
        assert buffers is None and not taken and bluetooth.BLE


def test_it_is_taken_once_in_a_life():
    chip = Chip(CLASSIC, 1)
    with Imports(esp32=chip, machine=chip, uctypes=chip, bluetooth=chip):
        from iot import bt_memory

        assert bt_memory.take(None, 16)
        taken = len(chip.taken)
        assert bt_memory.take(None, 16) is None and len(chip.taken) == taken


def test_where_bluetooth_may_be_on_it_is_not_taken():
    for taken in (take(CLASSIC, 16, cause=Chip.SOFT_RESET)[1], take(CLASSIC, 16, aioble="imported")[1]):
        assert not taken


def test_of_bluetooth_all_but_what_switches_it_on_is_left():
    bluetooth = take(CLASSIC, 16)[2]
    raises(AttributeError, "Bluetooth, whose memory NORMAL uses,", getattr, bluetooth, "BLE")
    assert bluetooth.UUID == "a UUID"
