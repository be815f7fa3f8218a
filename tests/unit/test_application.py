"""The application is run, and again where it fails; nothing of it outlives its run."""

import asyncio
import sys

from check import araises, raises
from fakes import FakeTime
from iot import application as application_module
from iot import endings
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
        self.log = Log(write=self.lines.append)
        self.pause = NoPause()
        self.application = Application(self.load, "main", self.thing, self.log)
        application_module.Backoff = lambda first_ms, most_ms: self.pause

    def load(self):
        if self.runs[0] is ImportError:
            self.runs.pop(0)
            raise ImportError("no module")
        return self

    def main(self, thing):
        assert thing is self.thing
        return self.runs.pop(0)(self)

    async def until(self, condition):
        """Runs it until something is so; nothing of it is left then."""
        running = asyncio.create_task(self.application.run())
        for _ in range(40_000):
            if condition():
                break
            assert not running.done(), self.lines
            await asyncio.sleep_ms(5)
        else:
            raise AssertionError(self.lines)
        await asyncio.sleep_ms(5)
        await self.ended(running)

    async def ended(self, running):
        """The mode ends."""
        running.cancel()
        await araises(asyncio.CancelledError, "", running)

    async def used_up(self):
        """Runs it until the last of `runs` has begun."""
        await self.until(lambda: not self.runs)


class NoPause:
    resets = 0

    def next_ms(self):
        return 0

    def reset(self):
        self.resets += 1


async def ends(b):
    pass


async def fails(b):
    raise KeyError("pear")


async def goes_on(b):
    while True:
        await asyncio.sleep_ms(1)


async def test_it_ends_when_it_wants_to():
    b = Bench(ends)
    await b.used_up()
    assert not b.lines and not b.thing.closed


async def test_it_starts_again_where_it_fails():
    b = Bench(fails, ImportError, fails, ends)
    await b.used_up()
    assert b.thing.closed == 3
    assert "failed, will start again: KeyError: " in b.lines[0]
    assert "ImportError: no module" in b.lines[1]


async def test_a_module_without_such_a_function_has_nothing_to_run():
    b = Bench()
    b.application = Application(lambda: 0, "setup", b.thing, b.log)
    running = asyncio.create_task(b.application.run())
    await asyncio.sleep_ms(5)
    assert not b.lines
    await b.ended(running)


async def test_it_can_be_ended_by_an_error_and_starts_again():
    b = Bench(goes_on, ends)
    assert not b.application.end(MemoryError("not begun"))
    running = asyncio.create_task(b.application.run())
    await asyncio.sleep_ms(5)
    assert b.application.end(MemoryError("too much"))
    assert not b.application.end(MemoryError("twice"))
    while b.runs:
        await asyncio.sleep_ms(5)
    await asyncio.sleep_ms(5)
    assert b.thing.closed == 1
    assert "MemoryError: too much" in b.lines[0]
    assert not b.application.end(MemoryError("ended"))
    await b.ended(running)


async def test_it_ends_with_its_mode():
    b = Bench(goes_on, ends)
    running = asyncio.create_task(b.application.run())
    await asyncio.sleep_ms(5)
    await b.ended(running)
    assert len(b.runs) == 1 and not b.lines


async def cancels_itself(b):
    task = asyncio.create_task(goes_on(b))
    await asyncio.sleep_ms(1)
    task.cancel()
    await task  # raises CancelledError, which is easily forgotten


async def cancelled(b):
    raise asyncio.CancelledError


async def exits(b):
    sys.exit()


async def is_closed(b):
    raise GeneratorExit("odd")


async def asserts(b):
    assert b is None


EVERY_DEATH = (
    (fails, "KeyError"),
    (cancels_itself, "RuntimeError: it was cancelled, by itself"),
    (cancelled, "RuntimeError: it was cancelled, by itself"),
    (exits, "SystemExit"),
    (is_closed, "GeneratorExit: odd"),
    (asserts, "AssertionError"),
)


async def test_every_end_that_nobody_asked_for_is_a_death():
    """And the system lives: SystemExit out of a task ends all there are, and the chip with them."""
    for death, line in EVERY_DEATH:
        b = Bench(death, ends)
        await b.used_up()
        assert b.thing.closed == 1 and len(b.lines) == 1, line
        assert line in b.lines[0], b.lines


async def test_every_death_of_a_part_is_one_of_the_whole():
    """By an error of its own; one that was cancelled may have been so by another part."""
    for death, line in EVERY_DEATH:
        left = []

        async def stays(b, left=left):
            try:
                await goes_on(b)
            finally:
                await asyncio.sleep_ms(1)  # cleans up
                left.append(b)

        async def main(b, death=death, stays=stays):
            b.application.start(stays(b))
            b.application.start(death(b))
            await stays(b)

        if death in (cancelled, cancels_itself):
            b = Bench(main)
            await b.until(lambda b=b: b.lines)
            assert "I application: a task was cancelled" in b.lines[0] and not b.thing.closed
        else:
            b = Bench(main, ends)
            await b.used_up()
            assert b.thing.closed == 1 and line in b.lines[0], b.lines
        assert len(left) == 2, line  # nothing of the run is left


async def test_what_it_started_lasts_as_long_as_the_application():
    b, beats = Bench(), []

    async def beat(b):
        while True:
            beats.append(1)
            await asyncio.sleep_ms(1)

    async def main(b):
        b.application.start(beat(b))

    b.runs.append(main)
    running = asyncio.create_task(b.application.run())
    while len(beats) < 3:  # main has returned
        await asyncio.sleep_ms(1)
    await b.ended(running)
    count = len(beats)
    await asyncio.sleep_ms(10)
    assert len(beats) == count and not b.lines


async def test_what_starts_after_main_belongs_to_it_too():
    b = Bench(ends, ends)
    running = asyncio.create_task(b.application.run())
    await asyncio.sleep_ms(5)
    b.application.start(fails(b))  # by a handler
    while b.runs:
        await asyncio.sleep_ms(5)
    assert "KeyError" in b.lines[0]
    await b.ended(running)


async def test_a_part_can_be_awaited_and_cancelled():
    b, seen = Bench(), []

    async def three():
        return 3

    never_begun = goes_on(b)

    async def main(b):
        seen.append(await b.application.start(three()))
        task = b.application.start(goes_on(b))
        await asyncio.sleep_ms(1)
        task.cancel()
        b.application.start(never_begun).cancel()
        try:
            await b.application.start(fails(b))
        except asyncio.CancelledError:
            seen.append("being ended")
            raise

    b.runs += [main, ends]
    await b.used_up()
    assert seen == [3, "being ended"] and "KeyError" in b.lines[1]
    never_begun.close()  # CPython warns of what was made and never ran


async def test_nothing_starts_while_it_is_being_ended():
    b = Bench()

    async def main(b):
        try:
            await goes_on(b)
        finally:
            raises(RuntimeError, "being ended", b.application.start, goes_on(b))
            b.runs.append(ends)

    b.runs.append(main)
    running = asyncio.create_task(b.application.run())
    await asyncio.sleep_ms(5)
    await b.ended(running)
    assert b.runs and not b.lines


async def test_only_a_coroutine_can_be_started():
    b = Bench()
    raises(TypeError, "call the function", b.application.start, goes_on)


async def test_a_part_that_is_cancelled_in_vain_is_cancelled_again():
    b, count = Bench(), []

    async def main(b):
        while len(count) < 2:
            try:
                await asyncio.sleep_ms(1000000)
            except asyncio.CancelledError:
                count.append(1)
        raise KeyError("at last")

    async def main_again(b):
        pass

    b.runs += [main, main_again]
    running = asyncio.create_task(b.application.run())
    await asyncio.sleep_ms(5)
    assert b.application.end(ValueError("the cause"))
    while b.runs:
        await asyncio.sleep_ms(50)
    assert "ValueError: the cause" in b.lines[0] and len(count) == 2
    await b.ended(running)


async def test_the_pauses_begin_anew_after_a_good_while():
    b = Bench(fails, goes_on, ends)
    now_ms = [0]
    b.log.uptime_ms = lambda: now_ms[0]
    running = asyncio.create_task(b.application.run())
    while len(b.runs) > 1:
        await asyncio.sleep_ms(5)
    assert not b.pause.resets
    now_ms[0] = 600001
    b.application.end(KeyError("after ten minutes"))
    while b.runs:
        await asyncio.sleep_ms(5)
    assert b.pause.resets == 1
    await b.ended(running)


async def test_it_may_end_before_it_has_begun():
    b = Bench(ends)
    running = asyncio.create_task(b.application.run())
    await asyncio.sleep_ms(0)
    running.cancel()
    await araises(asyncio.CancelledError, "", running)
    assert not b.lines


async def test_ctrl_c_is_no_failure_of_the_application():
    b = Bench()

    async def stopped():
        raise KeyboardInterrupt

    part = b.application._part(stopped(), True)
    raises(KeyboardInterrupt, "", part.send, None)
    assert b.lines == []


async def test_a_death_is_one_where_there_is_no_memory_for_its_code():
    b, failures, real = Bench(fails, ends), [], application_module.borrow

    def borrow(name):
        if not failures:
            failures.append(name)
            raise MemoryError
        return real(name)

    application_module.borrow = borrow
    try:
        await b.used_up()
    finally:
        application_module.borrow = real
    assert failures == ["iot.endings"] and "failed, will start again: KeyError" in b.lines[0]


async def test_a_task_that_does_not_end_is_told():
    class Stubborn:
        cancelled = 0

        def done(self):
            return False

        def cancel(self):
            self.cancelled += 1

    b, task, real = Bench(), Stubborn(), endings.asyncio
    b.application.tasks = [task]
    endings.asyncio = time = FakeTime()
    try:
        await araises(RuntimeError, "a task of it does not end", endings.leave(b.application))
    finally:
        endings.asyncio = real
    assert task.cancelled == 3 and time.now_ms >= 5000


async def test_tasks_that_have_ended_are_let_go_of():
    begun, go_on = [], asyncio.Event()

    async def main(b):
        for _ in range(3):
            b.application.start(go_on.wait())
        begun.append(b.application)
        await asyncio.sleep_ms(100_000)

    b = Bench(main)
    running = asyncio.create_task(b.application.run())
    while not begun:
        await asyncio.sleep_ms(1)
    application = b.application
    application.tidy()
    assert len(application.tasks) == 4
    go_on.set()
    await asyncio.sleep_ms(5)
    application.leaving = True
    application.tidy()
    assert len(application.tasks) == 4, "whoever ends them sees them end"
    application.leaving = False
    application.tidy()
    assert len(application.tasks) == 1
    await b.ended(running)
