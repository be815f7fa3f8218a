"""The 256 bytes and the records in two copies, power cuts included."""

import asyncio

from check import araises, raises
from fakes import FakeLog, FakeNVS, FakeTime, PowerCut, Without
from iot.storage import user_bytes
from iot.storage.record import Record
from iot.storage.user_bytes import Flash


def make(nvs):
    return Flash(lambda key, size: Record(nvs, key, size), FakeLog())


def test_a_record_keeps_the_last_value():
    record = Record(FakeNVS(), "key", 10)
    assert record.load() is None
    for value in (b"one", b"two", b"", b"ten bytes!"):
        record.store(value)
        assert record.load() == value


def test_what_another_firmware_stored_is_read_though_it_is_larger():
    nvs = FakeNVS()
    for size in (11, 300, 4000):
        for _ in range(2):
            Record(nvs, "key", 8000).store(bytes(range(250)) * 16 + bytes(size))
        assert Record(nvs, "key", 10).load() == bytes(range(250)) * 16 + bytes(size)
        Record(nvs, "key", 10).store(b"mine")
        assert Record(nvs, "key", 10).load() == b"mine"
    Record(nvs, "app", 8000).store(bytes(range(256)) + b"more")
    assert make(nvs).read() == bytes(range(256))


def test_a_record_refuses_what_is_too_long():
    nvs = FakeNVS()
    record = Record(nvs, "key", 4)
    raises(ValueError, "key: 5 bytes, at most 4", record.store, b"12345")
    assert nvs.writes == 0


def test_a_damaged_copy_leaves_the_other():
    nvs = FakeNVS()
    record = Record(nvs, "key", 10)
    record.store(b"old")
    record.store(b"new")
    for damaged in (b"", b"short", bytes(11), nvs.values["key1"][:-1] + b"?"):
        nvs.values["key1"] = damaged
        assert record.load() == b"old"
    nvs.values["key1"] = bytes(50)  # longer than this record may be
    assert record.load() == b"old"


def test_a_cut_at_any_write_leaves_the_old_or_the_new_value():
    for before in range(5):
        for number in (1, 2):
            nvs = FakeNVS()
            record = Record(nvs, "key", 10)
            for i in range(before):
                record.store(bytes([i]))
            nvs.cut_at = nvs.writes + number
            try:
                record.store(b"new")
            except PowerCut:
                pass
            expected = (bytes([before - 1]) if before else None) if number == 1 else b"new"
            assert record.load() == expected, (before, number)


def test_a_cut_while_erasing_leaves_the_value_or_nothing():
    for number in (1, 2):
        nvs = FakeNVS()
        record = Record(nvs, "key", 10)
        record.store(b"old")
        record.store(b"value")
        nvs.cut_at = nvs.writes + number
        try:
            record.erase()
        except PowerCut:
            pass
        assert record.load() == (b"value" if number == 1 else None), number


def test_erasing_what_is_not_there():
    record = Record(FakeNVS(), "key", 10)
    record.erase()
    record.store(b"x")
    record.erase()
    assert record.load() is None


def test_the_sequence_number_wraps():
    nvs = FakeNVS()
    record = Record(nvs, "key", 10)
    record.store(b"a")
    import binascii
    import struct

    for slot, sequence, value in ((0, 0xFFFFFFFE, b"a"), (1, 0xFFFFFFFF, b"b")):
        head = struct.pack(">I", sequence)
        checksum = binascii.crc32(value, binascii.crc32(head))
        nvs.values["key{}".format(slot)] = head + struct.pack(">I", checksum) + value
    assert record.load() == b"b"
    for value in (b"c", b"d", b"e"):
        record.store(value)
        assert record.load() == value


async def test_what_is_written_reads_back_and_outlives_a_flush():
    nvs = FakeNVS()
    flash = make(nvs)
    assert flash.read() == bytes(256)
    flash.write(3, b"abc")
    assert flash.read(2, 5) == b"\0abc\0"
    await flash.flush()
    assert make(nvs).read(3, 3) == b"abc"


async def test_out_of_range_writes_nothing():
    nvs = FakeNVS()
    flash = make(nvs)
    for offset, data in ((-1, b"a"), (256, b"a"), (250, bytes(7)), (0, bytes(257))):
        raises(ValueError, "not within the 256 bytes", flash.write, offset, data)
    raises(ValueError, "not within", flash.read, 0, 257)
    raises(ValueError, "not within", flash.read, 1, -1)
    await flash.flush()
    assert nvs.writes == 0
    flash.write(255, b"z")
    flash.write(256, b"")
    assert flash.read(255, 1) == b"z"


async def test_writes_in_the_background_are_joined():
    nvs = FakeNVS()
    flash = make(nvs)
    task = asyncio.create_task(flash.run())
    for i in range(50):
        flash.write(i, bytes([i]))
    for _ in range(20_000):
        if nvs.writes:
            break
        await asyncio.sleep_ms(10)
    assert nvs.writes == 1
    assert make(nvs).read(0, 50) == bytes(range(50))
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass


async def test_writing_what_is_there_already_costs_no_flash():
    nvs = FakeNVS()
    flash = make(nvs)
    flash.write(0, b"same")
    await flash.flush()
    flash.write(0, b"same")
    await flash.flush()
    assert nvs.writes == 1


async def test_a_cut_at_any_write_of_the_256_bytes():
    for number in (1, 2, 3):
        nvs = FakeNVS()
        flash = make(nvs)
        nvs.cut_at = number
        kept = bytes(256)
        try:
            for value in (b"1", b"2", b"3"):
                flash.write(0, value)
                await flash.flush()
                kept = flash.read()
        except PowerCut:
            pass
        assert make(nvs).read() == kept, number


async def test_erased_bytes_are_zero():
    nvs = FakeNVS()
    flash = make(nvs)
    flash.write(10, b"abc")
    flash.erase()
    await flash.flush()
    assert flash.read() == make(nvs).read() == bytes(256)


async def test_a_write_that_fails_is_told_and_tried_again():
    for error in (OSError(-0x1105, "full"), MemoryError()):
        nvs = FakeNVS()
        flash = make(nvs)
        nvs.cut_at, nvs.cut_by = 1, error
        user_bytes.asyncio = time = FakeTime()
        try:
            task = asyncio.create_task(flash.run())
            flash.write(0, b"kept")
            while nvs.writes < 2:
                await asyncio.sleep_ms(1)
        finally:
            user_bytes.asyncio = asyncio
        task.cancel()
        await araises(asyncio.CancelledError, "", task)
        assert make(nvs).read(0, 4) == b"kept" and time.now_ms >= 5000
        assert "not written, will try again" in flash._log.lines[0]


def test_flash_that_fails_is_not_taken_for_empty():
    nvs = FakeNVS()
    Record(nvs, "key", 10).store(b"kept")
    with Without(nvs, "get_blob", OSError(-0x1101, "ESP_ERR_NVS_NOT_INITIALIZED")):
        raises(OSError, "NOT_INITIALIZED", Record(nvs, "key", 10).load)
