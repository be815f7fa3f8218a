"""Events: handlers, waiters, and handlers that fail."""

import asyncio
import sys

from check import araises, raises
from fakes import FakeLog
from iot.events import Events


def test_handlers_hear_in_order_until_they_are_off():
    events, heard = Events(FakeLog()), []
    first = lambda detail: heard.append(("first", detail))  # noqa: E731
    events.on("wifi_up", first)
    events.on("wifi_up", lambda detail: heard.append(("second", detail)))
    events.emit("wifi_up", 1)
    events.off("wifi_up", first)
    events.emit("wifi_up", 2)
    events.emit("wifi_down", 3)
    assert heard == [("first", 1), ("second", 1), ("second", 2)]


def test_names_that_do_not_exist():
    events = Events(FakeLog())
    for call in (events.on, events.off):
        raises(ValueError, "no event 'wifi'", call, "wifi", print)
    raises(ValueError, "no event 'wifi'", events.emit, "wifi")


def test_a_handler_that_raises_keeps_nobody_from_hearing():
    """Whatever it raises: in the system's task sys.exit() would end all, a CancelledError that task."""
    for error in (ZeroDivisionError, MemoryError, SystemExit, GeneratorExit, asyncio.CancelledError):

        def fails(detail, error=error):
            raise error

        log, heard = FakeLog(), []
        events = Events(log)
        events.on("cloud_up", fails)
        events.on("cloud_up", heard.append)
        events.emit("cloud_up", "x")
        assert heard == ["x"]
        assert "handler of cloud_up" in log.lines[0]


def test_a_handler_may_take_itself_off():
    events, heard = Events(FakeLog()), []

    def once(detail):
        heard.append(detail)
        events.off("mode", once)

    events.on("mode", once)
    events.on("mode", heard.append)
    events.emit("mode", 1)
    events.emit("mode", 2)
    assert heard == [1, 1, 2]


def test_ctrl_c_is_no_failure_of_a_handler():
    log = FakeLog()
    events = Events(log)

    def stopped(detail):
        raise KeyboardInterrupt

    events.on("cloud_up", stopped)
    raises(KeyboardInterrupt, "", events.emit, "cloud_up")
    assert not log.lines


async def test_waiters_get_the_detail():
    events = Events(FakeLog())
    tasks = [asyncio.create_task(events.wait("clock_set", 5000)) for _ in range(3)]
    await asyncio.sleep_ms(1)
    events.emit("clock_set", "sntp")
    assert await asyncio.gather(*tasks) == ["sntp"] * 3


async def test_waiting_has_a_deadline():
    events = Events(FakeLog())
    try:
        await events.wait("mode", 5)
        raise AssertionError("no timeout")
    except asyncio.TimeoutError:
        pass
    events.emit("mode", "late")  # nobody is left to be told


async def test_a_cancelled_waiter_is_forgotten():
    events = Events(FakeLog())
    task = asyncio.create_task(events.wait("mode"))
    await asyncio.sleep_ms(1)
    task.cancel()
    await araises(asyncio.CancelledError, "", task)
    events.emit("mode", 1)


async def test_a_wait_of_weeks():
    """MicroPython's longest wait has 6.2 days."""
    with_pieces = []

    class Asyncio:
        TimeoutError, Event = asyncio.TimeoutError, asyncio.Event

        async def wait_for_ms(self, waiting, timeout_ms):
            assert 0 <= timeout_ms < 1 << 29
            with_pieces.append(timeout_ms)
            await asyncio.wait_for_ms(waiting, 1)

    module = sys.modules["iot.events"]
    module.asyncio = Asyncio()
    try:
        for weeks in (1, 3, 52):
            with_pieces.clear()
            try:
                await Events(FakeLog()).wait("mode", weeks * 7 * 86400000)
                raise AssertionError("nothing happened")
            except asyncio.TimeoutError:
                pass
            assert sum(with_pieces) == weeks * 7 * 86400000
    finally:
        module.asyncio = asyncio
