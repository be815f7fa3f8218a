"""The ring of packets to send: order, window, room, retries."""

import asyncio
import sys
import time

from check import araises
from iot.events import within
from iot.mqtt.queues import Outbox
from stream import none_lost


def fill(outbox, size, packet_id=0, first=0x32):
    """Queue a "packet" of `size` bytes that starts with `first` and repeats its id."""
    return outbox.add(bytes([first]), bytes([packet_id & 255]) * (size - 1), packet_id)


def take(outbox):
    view = outbox.take()
    return None if view is None else bytes(view)


def test_neighbours_leave_in_one_write():
    outbox = Outbox(1024, 8, none_lost())
    zero, one = fill(outbox, 4), fill(outbox, 4, 7)
    assert zero and one and len(outbox) == 2
    assert take(outbox) == b"\x32\0\0\0\x32\7\7\7"
    assert not zero.done
    outbox.written()
    assert zero.done and not one.done and len(outbox) == 1
    assert outbox.take() is None
    assert outbox.acknowledge(7) and one.done and len(outbox) == 0


def test_a_write_is_no_longer_than_a_segment_unless_one_packet_is():
    outbox = Outbox(8192, 8, none_lost())
    for size in (1000, 400, 200, 3000):
        fill(outbox, size)
    assert [len(take(outbox)) for _ in range(3)] == [1400, 200, 3000]


def test_the_window_bounds_qos_1_in_flight_and_keeps_the_order():
    outbox = Outbox(1024, 2, none_lost())
    for packet_id in (1, 2, 3, 0):
        fill(outbox, 8, packet_id)
    assert len(take(outbox)) == 16
    outbox.written()
    assert outbox.take() is None
    assert outbox.acknowledge(2)
    assert take(outbox)[8:] == b"\x32" + bytes(7)
    assert not outbox.acknowledge(2), "acknowledged before"
    assert not outbox.acknowledge(999), "never sent"


def test_only_what_is_in_flight_can_be_acknowledged():
    outbox = Outbox(1024, 2, none_lost())
    receipt = fill(outbox, 8, 5)
    assert outbox.find(5) is receipt and outbox.find(6) is None
    assert not outbox.acknowledge(5)
    outbox.take()
    assert outbox.acknowledge(5) and outbox.find(5) is None
    assert receipt.done


def test_what_does_not_fit_is_refused_and_counted():
    outbox = Outbox(256, 8, none_lost())
    assert fill(outbox, 200, 1)
    refused = fill(outbox, 57, 2)
    assert not refused and not refused.done and outbox.counts["refused"] == 1
    assert fill(outbox, 56, 3)
    outbox.take()
    assert outbox.acknowledge(1)
    assert fill(outbox, 200, 4)
    assert not fill(outbox, 1, 5) and outbox.counts["refused"] == 2


def test_the_number_of_messages_is_bounded_too():
    outbox = Outbox(640, 8, none_lost())
    assert [bool(fill(outbox, 4)) for _ in range(11)] == [True] * 10 + [False]


def test_the_ring_wraps_and_never_overlaps():
    outbox = Outbox(640, 100, none_lost())
    living = {}
    packet_id = 0
    sizes = (100, 33, 64, 150, 7, 91, 128, 2)
    for turn in range(400):
        packet_id = packet_id % 250 + 1
        if packet_id not in living and fill(outbox, sizes[turn % len(sizes)], packet_id):
            living[packet_id] = sizes[turn % len(sizes)]
        while outbox.take() is not None:
            outbox.written()
        for known, size in living.items():
            offset = outbox.find(known).offset
            data = outbox.view[offset : offset + size]
            assert data == b"\x32" + bytes([known]) * (size - 1), turn
        if turn % 20 > 9:  # the second oldest and then the oldest: acknowledged out of order
            for known in sorted(living, key=lambda i: (packet_id - i) % 250)[-2:]:
                assert outbox.acknowledge(known)
                del living[known]
    assert outbox.counts["refused"] > 0


def test_an_overdue_message_goes_again_as_it_was_but_for_dup():
    outbox = Outbox(1024, 8, none_lost())
    fill(outbox, 6, 1)
    fill(outbox, 6, 2)
    first = take(outbox)
    outbox.written()
    outbox.expire(10_000)
    assert outbox.take() is None
    assert outbox.acknowledge(1)
    outbox.expire(0)
    assert take(outbox) == b"\x3a" + first[7:]
    assert outbox.take() is None
    outbox.expire(0)
    assert outbox.acknowledge(2), "its PUBACK may come before it goes again"
    assert outbox.take() is None


def test_after_a_lost_connection_what_was_in_flight_goes_first_with_dup():
    outbox = Outbox(1024, 2, none_lost())
    for packet_id in (1, 2, 3):
        fill(outbox, 4, packet_id)
    outbox.take()
    outbox.written()
    outbox.acknowledge(1)
    outbox.rewind()
    assert take(outbox) == b"\x3a\2\2\2\x32\3\3\3"


def test_an_unacknowledged_message_is_repeated_after_growing_pauses():
    outbox = Outbox(1024, 8, none_lost())
    receipt = fill(outbox, 6, 1)
    for pause_s in (10, 20, 40, 80, 160, 160):
        assert outbox.take() is not None
        outbox.written()
        receipt.sent_ms = time.ticks_add(time.ticks_ms(), -pause_s * 1000 + 100)
        outbox.expire(10_000)
        assert outbox.take() is None, pause_s
        receipt.sent_ms = time.ticks_add(time.ticks_ms(), -pause_s * 1000)
        outbox.expire(10_000)
    outbox.take()
    outbox.rewind()
    assert outbox.take() is not None and receipt.repeats == 0, "a new connection begins anew"


async def test_qos_0_is_lost_with_the_connection_that_was_writing_it():
    outbox = Outbox(1024, 2, none_lost())
    written, unsent = fill(outbox, 4), None
    outbox.take()
    unsent = fill(outbox, 4)
    outbox.rewind()
    assert outbox.counts["lost"] == 1 and not await written.wait() and not written.done
    outbox.take()
    outbox.written()
    assert await unsent and outbox.counts["lost"] == 1


async def test_a_receipt_can_be_awaited_by_several():
    outbox = Outbox(1024, 2, none_lost())
    receipt = fill(outbox, 4, 1)
    assert not await receipt.wait(5)
    waiting = [asyncio.create_task(receipt.wait()) for _ in range(2)]
    await asyncio.sleep_ms(0)
    outbox.take()
    outbox.acknowledge(1)
    assert await waiting[0] and await waiting[1] and await receipt and await receipt.wait(0)


async def test_a_refused_receipt_does_not_wait():
    outbox = Outbox(64, 1, none_lost())
    assert not await outbox.add(b"", bytes(65), 1).wait()


async def test_emptied_waits_for_the_last_ack():
    outbox = Outbox(1024, 2, none_lost())
    await outbox.emptied()
    fill(outbox, 4, 1)
    fill(outbox, 4)
    task = asyncio.create_task(outbox.emptied())
    outbox.take()
    outbox.written()
    await asyncio.sleep_ms(5)
    assert len(outbox) == 1
    outbox.acknowledge(1)
    await task


async def test_a_wait_of_weeks_is_no_error():
    """MicroPython's longest has 6.2 days. The browser's VM may not wake again from one so long."""
    if sys.platform == "webassembly":
        return
    assert await within(52 * 7 * 86400000, _soon())


async def _soon():
    await asyncio.sleep_ms(0)


async def test_a_wait_within_a_time_tells_whether_it_came():
    happened = asyncio.Event()
    for timeout_ms in (0, 5):
        assert not await within(timeout_ms, happened.wait())
    happened.set()
    for timeout_ms in (None, 10000):
        assert await within(timeout_ms, happened.wait())


async def test_a_wait_within_a_time_that_is_cancelled_ends_what_it_waits_for():
    ended = []

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    for timeout_ms in (None, 60000):
        task = asyncio.create_task(within(timeout_ms, forever()))
        for _ in range(5):
            await asyncio.sleep_ms(0)
        task.cancel()
        await araises(asyncio.CancelledError, "", task)
        await asyncio.sleep_ms(0)
    assert len(ended) == 2


async def test_a_receipt_is_awaited_in_either_python():
    receipt = fill(Outbox(1024, 2, none_lost()), 4, 1)
    receipt.state = 3
    assert await receipt and await receipt.__iter__()
