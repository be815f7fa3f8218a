"""The chip's two heaps: what takes of them and gives back, what the device is told, and want of memory."""

import pytest

from tools.sim import Device
from tools.sim.memory import NO_WIFI, Memory, Region, told

# As a chip with MicroPython v1.25 tells them after the start, and once Wi-Fi is on.
FRESH = [
    (240, 4, 0, 4),
    (7288, 4, 0, 4),
    (16648, 4468, 4352, 4304),
    (85992, 11384, 11264, 11384),
    (15072, 14656, 14336, 14656),
    (113840, 112968, 110592, 112968),
]
FIGURES = """
    import esp32, gc, time
    def largest():
        return max([region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])
    def free():
        return sum([region[1] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])
"""
ON_CPYTHON = pytest.mark.parametrize("micropython", [None])


def test_a_block_is_told_by_its_class() -> None:
    for size, told_size in ((4, 0), (16, 16), (4468, 4352), (11384, 11264), (14656, 14336), (112968, 110592)):
        assert told(size) == told_size


def test_blocks_beside_each_other_become_one() -> None:
    region = Region(2000, 1000, 1000)
    for size, holder in ((100, "a"), (200, "b"), (300, "c")):
        region.take(size, holder)
    assert (region.free, region.largest, region.lowest) == (400, 400, 400)
    region.give_back("a")
    assert (region.free, region.largest) == (500, 400)
    region.give_back("c")
    assert (region.free, region.largest) == (800, 700)
    region.give_back("b")
    region.give_back("b")
    assert (region.free, region.largest, region.lowest) == (1000, 1000, 400)


def test_wifi_takes_the_small_regions_first() -> None:
    memory = Memory()
    assert memory.idf() == FRESH
    assert memory.wifi(True) and memory.wifi(True)
    *small, large = memory.idf()
    assert [region[1:] for region in small] == [(4, 0, 4)] * 5
    assert large[1] == 112968 - (41000 - 4464 - 11380 - 14652)
    assert memory.wifi(False)
    assert [region[:3] for region in memory.idf()] == [region[:3] for region in FRESH]


def test_what_the_radio_leaves_can_be_chosen() -> None:
    memory = Memory()
    memory.starve("silence", largest=12_000)
    assert memory.idf() == FRESH
    memory.wifi(True)
    assert max(region[2] for region in memory.idf()) <= 12_000
    memory.feed()
    assert max(region[2] for region in memory.idf()) > 90_000


def test_the_heap_grows_by_the_largest_block_or_to_twice_its_size() -> None:
    memory = Memory()
    assert memory.python(14_000) == (56_000, 0, 110_592, 0)
    assert memory.python(14_001) == (56_001, 55_999, 55_296, 27_999)  # 112,968 - 57,344 are left
    memory = Memory()
    memory.thread(80_000)
    assert memory.python(15_000)[1] == 56_000 + 32_768 * 125 // 128 - 57_000


async def test_a_chip_that_has_just_started(device: Device, run) -> None:
    lines = await run(FIGURES + "    print(esp32.idf_heap_info(esp32.HEAP_DATA))")
    assert lines == [str(FRESH)]


async def test_the_room_to_grow_counts_as_free(device: Device, run) -> None:
    await run(
        FIGURES
        + """
    gc.collect()
    def free_in_heap():
        gc.collect()
        return gc.mem_free() - largest()
    before = free_in_heap()
    import _thread
    lock = _thread.allocate_lock()
    lock.acquire()
    free_then = gc.mem_free()
    _thread.stack_size(100000)
    _thread.start_new_thread(lock.acquire, ())
    assert 90000 < free_then - gc.mem_free() < 100000, (free_then, gc.mem_free())
    assert abs(free_in_heap() - before) < 5000
    assert 0 < gc.mem_alloc()
    lock.release()
    """
    )


async def test_a_thread_holds_its_stack_until_it_ends(device: Device, run) -> None:
    lines = await run(
        FIGURES
        + """
    import _thread
    lock = _thread.allocate_lock()
    print(_thread.stack_size(), _thread.stack_size(20000), _thread.stack_size(), _thread.stack_size())
    def hold(name, number=0):
        with lock:
            print(name, number)
    before = free()
    for size in (0, 1000, 4096, 20000, 50000):
        lock.acquire()
        _thread.stack_size(size)
        _thread.start_new_thread(hold, ("held",), {"number": size})
        print(before - free())
        lock.release()
        while free() != before:
            time.sleep_ms(1)
    _thread.stack_size(120000)
    try:
        _thread.start_new_thread(hold, ("too much",))
    except OSError as error:
        print(error)
    """
    )
    sizes = {0: 5120, 1000: 4096, 4096: 4096, 20000: 20000, 50000: 50000}
    expected = [line for size, held in sizes.items() for line in (str(held), f"held {size}")]
    assert lines == ["0 0 20000 0", *expected, "can't create thread"]


async def test_wifi_takes_memory_and_gives_it_back(device: Device, run) -> None:
    lines = await run(
        FIGURES
        + """
    import network
    before = free()
    wlan = network.WLAN(network.STA_IF)
    for on in (True, True, False, True, False):
        wlan.active(on)
        print(before - free())
    """
    )
    assert lines == ["41000", "41000", "0", "41000", "0"]


async def test_a_radio_without_memory_does_not_start(device: Device, run) -> None:
    program = """
        import network
        wlan = network.WLAN(network.STA_IF)
        try:
            print(wlan.active(True))
        except RuntimeError as error:
            print(error, wlan.active())
        """
    device.chip.memory.starve(NO_WIFI)
    assert await run(program) == ["Wifi Unknown Error 0x0101 False"]
    device.chip.memory.feed()
    assert await run(program) == ["True"]
    hold = "import _thread, time\n_thread.stack_size(110000)\n_thread.start_new_thread(time.sleep, (1000,))\n"
    await device.power_off()
    (device.files / "boot.py").write_text(hold)
    assert await run(program) == ["Wifi Unknown Error 0x0101 False"]


async def test_a_reset_gives_everything_back(device: Device, load) -> None:
    load(
        FIGURES
        + """
    import machine, network
    print(free())
    if machine.reset_cause() == machine.PWRON_RESET:
        network.WLAN(network.STA_IF).active(True)
        machine.soft_reset()
    if machine.reset_cause() == machine.SOFT_RESET:
        machine.reset()
    """
    )
    await device.power_on()
    fresh = sum(region[1] for region in FRESH)
    await device.expect(f"^{fresh}$")
    device.chip.memory.grow_heap(10_000)
    await device.expect(f"^{fresh - 41_000}$")  # a soft reset leaves Wi-Fi on
    await device.expect(f"^{fresh}$")
    await device.expect("^end of main.py$")
    assert device.chip.memory.heap_total == 56_000


@ON_CPYTHON
async def test_what_cpython_cannot_see_is_the_worlds_word(device: Device, run) -> None:
    program = FIGURES + "    print(gc.mem_alloc(), gc.mem_free() - largest())"
    assert await run(program) == ["42000 14000"]
    with_wifi = "    import network\n    network.WLAN(network.STA_IF).active(True)\n    print(gc.mem_alloc())"
    assert await run(FIGURES + with_wifi) == ["62000"]
    device.chip.memory.heap_used = 50_000
    assert await run(program) == ["50000 6000"]


@ON_CPYTHON
async def test_a_program_that_takes_too_much_makes_the_heap_grow(device: Device, run) -> None:
    lines = await run(
        FIGURES
        + """
    def total():
        return gc.mem_alloc() + gc.mem_free() - largest()
    kept = []
    for _ in range(5):
        kept.append([None] * 1000)
        print(total(), largest())
    kept.clear()
    gc.collect()
    print(total(), gc.mem_alloc())
    """
    )
    assert lines == ["56000 110592"] * 3 + ["112000 55296"] * 2 + ["112000 42000"]


async def test_the_library_grows_the_heap_where_it_can(device: Device, run, micropython) -> None:
    device.install()
    lines = await run(
        FIGURES
        + """
    from iot import heap, memory
    before = memory.heap_total()
    kept = heap.grow(100 * 1024)
    print(kept and len(kept), memory.heap_total() - before)
    time.sleep_ms(50)
    print(free())
    """
    )
    assert lines[0] == ("None 0" if micropython else "8 42000")
    fresh = sum(region[1] for region in FRESH)
    assert lines[1] == str(fresh if micropython else fresh - 43_008)


@ON_CPYTHON
async def test_with_psram_the_library_leaves_the_heap_as_it_is(device: Device, run) -> None:
    device.install()
    device.chip.memory.psram = 4 << 20
    lines = await run(
        FIGURES
        + """
    from iot import heap, memory
    before = memory.heap_total()
    print(heap.grow(100 * 1024), memory.heap_total() - before)
    print(heap.most(4_000_000))
    """
    )
    assert lines == ["None 0", "4000000"]


@ON_CPYTHON
async def test_a_heap_that_has_doubled_before_its_time_has_more_than_it_may(device: Device, run) -> None:
    device.install()
    lines = await run(
        FIGURES
        + """
    from iot import heap, memory
    held = []
    while memory.heap_total() == 56_000:
        held.append(bytearray(4096))
    print(memory.heap_total(), heap.grow(100 * 1024), heap.most(memory.heap_total()))
    """
    )
    assert lines == ["112000 None 108000"]


@ON_CPYTHON
async def test_the_heap_grows_on_command(device: Device, load) -> None:
    load(
        FIGURES
        + """
    import sys
    while True:
        print(gc.mem_alloc() + gc.mem_free() - largest(), free())
        sys.stdin.readline()
    """
    )
    memory, fresh = device.chip.memory, sum(region[1] for region in FRESH)
    await device.power_on()
    await device.expect(f"^56000 {fresh}$")
    memory.grow_heap(8000)
    await device.send("again")
    await device.expect(f"^64000 {fresh - 8000}$")
    memory.shrink_heap()
    await device.send("again")
    await device.expect(f"^56000 {fresh}$")
    with pytest.raises(ValueError, match="no block of 120000 bytes"):
        memory.grow_heap(120_000)


MEM_INFO = """
    import gc, io, micropython, os, sys
    class Terminal(io.IOBase):
        def __init__(self):
            self.writes = []
        def write(self, data):
            self.writes.append(str(data, "ascii"))
            return len(data)
        def readinto(self, buffer):
            return None
    first, second = Terminal(), Terminal()
    print(os.dupterm(first), os.dupterm(second) is first)
    micropython.mem_info()
    assert not first.writes
    print(os.dupterm(None) is second, os.dupterm(None))
    micropython.mem_info(1)
    sys.stdout.write("".join(second.writes))
    print(second.writes[-2:])
    try:
        os.dupterm(None, 1)
    except ValueError as error:
        print(error)
    room = io.BytesIO(100)
    os.dupterm(room)
    micropython.mem_info()
    os.dupterm(None)
    assert room.getvalue().startswith(b"stack: ") and room.getvalue().count(b"\\n") == 3
    micropython.opt_level()
    assert micropython.const(3) == 3
"""
SHAPE = (
    r"^stack: \d+ out of \d+$",
    r"^GC: total: (\d+), used: (\d+), free: (\d+), max new split: 110592$",
    r"^ No\. of 1-blocks: \d+, 2-blocks: \d+, max blk sz: \d+, max free sz: (\d+)$",
)


async def test_mem_info_and_a_second_terminal(device: Device, load) -> None:
    load(MEM_INFO)
    await device.power_on()
    await device.expect("^None True$")
    pieces = []
    for _ in range(3):  # on the console, again, and what the second terminal got
        await device.expect(SHAPE[0])
        total, used, free = map(int, (await device.expect(SHAPE[1])).groups())
        assert total == used + free
        pieces.append(16 * int((await device.expect(SHAPE[2]))[1]))
        assert 0 < pieces[-1] <= free
    assert pieces[0] == pieces[2]
    await device.expect(rf"^\['{pieces[0] // 16}', '\\n'\]$")
    await device.expect("^invalid dupterm index$")
    await device.expect("^end of main.py$")


async def test_a_question_that_was_broken_off_is_not_answered_later(run) -> None:
    """Ctrl-C, or a heap without room for the answer, in the middle of a question to the world."""
    lines = await run(
        """
        import _world, machine
        class Broken:
            def recv(self, size):
                raise MemoryError
            def send(self, data):
                return self.line.send(data)
        broken = Broken()
        broken.line = _world._line[0]
        _world._line[0] = broken
        try:
            machine.Pin(4, machine.Pin.IN).value()
        except MemoryError:
            print("no memory")
        pin = machine.Pin(4, machine.Pin.OUT)
        pin.value(1)
        print(pin.value())
        """
    )
    assert lines == ["no memory", "1"]
