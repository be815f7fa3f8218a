"""The application's own packets, both ways."""

import asyncio

from check import raises
from fakes import FakeLog
from iot.ble.packets import Packets


def opened():
    packets = Packets(FakeLog())
    packets.proven = lambda: True
    return packets


async def test_packets_go_out_in_their_order():
    packets = opened()
    waiting = asyncio.create_task(packets.next())
    await asyncio.sleep_ms(0)
    assert packets.send("a", b"1") is True
    assert packets.send("é", b"") is True
    assert await asyncio.wait_for_ms(waiting, 1000) == ("a", b"1")
    assert await packets.next() == ("é", b"")
    assert packets.dropped == 0


async def test_without_a_phone_nothing_is_queued():
    packets = Packets(FakeLog())
    assert packets.send("a", b"1") is False and packets.dropped == 1
    proven = [False]
    packets.proven = lambda: proven[0]
    assert packets.send("a", b"1") is False and packets.dropped == 2
    proven[0] = True
    assert packets.send("a", b"2") is True
    proven[0] = False
    assert packets.send("a", b"2") is False and packets.dropped == 3
    packets.clear()  # what was not sent in a session is not for the next
    assert packets.dropped == 4
    proven[0] = True
    assert packets.send("a", b"3") is True
    assert await packets.next() == ("a", b"3")


def test_no_more_than_eight_wait():
    packets = opened()
    assert [packets.send("a", b"") for _ in range(10)] == 8 * [True] + 2 * [False]
    assert packets.dropped == 2


async def test_a_packet_is_what_it_was_when_it_was_sent():
    packets = opened()
    payload = bytearray(b"old")
    packets.send("a", payload)
    payload[:] = b"new"
    assert await packets.next() == ("a", b"old")


def test_names_and_lengths():
    packets = opened()
    for name in ("", "x" * 17, "é" * 9):
        raises(ValueError, "a packet's name has 1 to 16 bytes", packets.send, name, b"")
        raises(ValueError, "a packet's name has 1 to 16 bytes", packets.on, name, len)
    raises(ValueError, "a packet has at most 1024 bytes", packets.send, "a", bytes(1025))
    raises(TypeError, "", packets.send, "a", "text")
    assert packets.send("é" * 8, bytes(1024)) is True
    assert packets.dropped == 0


def test_a_packet_of_the_phone_goes_to_its_handler():
    packets = Packets(FakeLog())
    first, second = [], []
    packets.on("a", first.append)
    packets.on("b" * 16, second.append)
    assert packets.deliver("a", b"1") is True and packets.deliver("b" * 16, bytes(1024)) is True
    assert first == [b"1"] and second == [bytes(1024)]
    assert packets.deliver("c", b"") is False and packets.deliver("", b"") is False
    assert packets.deliver("a", bytes(1025)) is False and first == [b"1"]
    packets.on("a", second.append)
    assert packets.deliver("a", b"2") is True and first == [b"1"] and second[1:] == [b"2"]
    packets.on("a", None)
    assert packets.deliver("a", b"3") is False


def test_a_handler_that_fails_is_in_the_log():
    for kind in (KeyError, SystemExit, GeneratorExit, asyncio.CancelledError):
        packets = Packets(FakeLog())

        def fail(payload, kind=kind):
            raise kind("pear")

        packets.on("a{}", fail)
        assert packets.deliver("a{}", b"1") is True
        assert len(packets._log.lines) == 1
        assert "a{}" in packets._log.lines[0] and "pear" in packets._log.lines[0]


def test_ctrl_c_is_no_failure_of_a_handler():
    packets = opened()

    def stopped(payload):
        raise KeyboardInterrupt

    packets.on("a", stopped)
    raises(KeyboardInterrupt, "", packets.deliver, "a", b"")
