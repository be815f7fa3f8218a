"""The application is run, and again where it fails; nothing of it outlives its run."""

import asyncio

from check import araises
from iot import application
from iot.application import Application
from iot.log import Log


class FakeThing:
    closed = 0

    def close(self):
        self.closed += 1


class Bench:
    """An application whose module is `self`: what it does at each start is the next of `runs`."""

    def __init__(self, *runs):
        self.runs = list(runs)
        self.thing = FakeThing()
        self.lines = []
        self.application = Application(self.load, "main", self.thing, Log(write=self.lines.append))
        application._FIRST_MS = application._MOST_MS = 0  # of no effect in MicroPython, whose constants are
        application.Backoff = lambda first_ms, most_ms: NoPause()

    def load(self):
        if self.runs[0] is ImportError:
            self.runs.pop(0)
            raise ImportError("no module")
        return self

    def main(self, thing):
        assert thing is self.thing
        return self.runs.pop(0)()


class NoPause:
    def next_ms(self):
        return 0


async def ends():
    pass


async def fails():
    raise KeyError("pear")


async def goes_on():
    while True:
        await asyncio.sleep_ms(1)


async def test_it_ends_when_it_wants_to():
    b = Bench(ends)
    await b.application.run()
    assert not b.runs and not b.lines and not b.thing.closed


async def test_it_starts_again_where_it_fails():
    b = Bench(fails, ImportError, fails, ends)
    await b.application.run()
    assert not b.runs and b.thing.closed == 3
    assert "failed, will start again: KeyError: " in b.lines[0]
    assert "ImportError: no module" in b.lines[1]


async def test_a_module_without_such_a_function_has_nothing_to_run():
    b = Bench()
    b.application = Application(lambda: 0, "setup", b.thing, Log(write=b.lines.append))
    await b.application.run()
    assert not b.lines


async def test_it_can_be_ended_by_an_error_and_starts_again():
    b = Bench(goes_on, ends)
    running = asyncio.create_task(b.application.run())
    assert not b.application.end(MemoryError("not begun"))
    await asyncio.sleep_ms(5)
    assert b.application.end(MemoryError("too much"))
    assert not b.application.end(MemoryError("twice"))
    await running
    assert not b.runs and b.thing.closed == 1
    assert "MemoryError: too much" in b.lines[0]
    assert not b.application.end(MemoryError("ended"))


async def test_it_ends_with_its_mode():
    b = Bench(goes_on, ends)
    running = asyncio.create_task(b.application.run())
    await asyncio.sleep_ms(5)
    running.cancel()
    await araises(asyncio.CancelledError, "", running)
    assert len(b.runs) == 1 and not b.lines


async def cancels_itself():
    task = asyncio.create_task(goes_on())
    await asyncio.sleep_ms(1)
    task.cancel()
    await task  # raises CancelledError, which is easily forgotten


async def test_a_cancellation_that_nobody_asked_for_is_an_error():
    b = Bench(cancels_itself, ends)
    await b.application.run()
    assert not b.runs and b.thing.closed == 1
    assert "RuntimeError: it was cancelled, by itself" in b.lines[0]


async def test_it_may_end_before_it_has_begun():
    b = Bench(ends)
    running = asyncio.create_task(b.application.run())
    await asyncio.sleep_ms(0)
    running.cancel()
    await araises(asyncio.CancelledError, "", running)
    assert not b.lines
