"""The watch that times each step of the loop on a board, with a clock that only the test moves."""

import asyncio
import importlib.util
import time
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

HOLDS = Path(__file__).resolve().parents[2] / "board/chip/holds.py"


class Clock:
    """Microseconds that pass where a test says so."""

    def __init__(self) -> None:
        self.us = 0

    def work(self, us: int) -> None:
        self.us += us


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "ticks_us", lambda: clock.us, raising=False)
    return clock


@pytest.fixture
def holds() -> Any:
    spec = importlib.util.spec_from_file_location("holds", HOLDS)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Holds()


class Pause:
    """What a coroutine awaits to give the loop a turn."""

    def __await__(self) -> Generator[str, None, None]:
        yield "paused"


def run(steps: Generator[Any, None, Any]) -> Any:
    """Go through all steps, as the loop does."""
    while True:
        try:
            assert steps.send(None) == "paused"
        except StopIteration as stop:
            return stop.value


def test_longest_step_counts_and_the_result_passes(clock: Clock, holds: Any) -> None:
    async def job() -> str:
        clock.work(5)
        await Pause()
        clock.work(30)
        await Pause()
        clock.work(10)
        return "done"

    assert run(holds.steps("job", job())) == "done"
    assert holds.longest_us == {"job": 30}


def test_pauses_do_not_count(clock: Clock, holds: Any) -> None:
    async def job() -> None:
        clock.work(1)
        await Pause()
        clock.work(2)

    steps = holds.steps("job", job())
    steps.send(None)
    clock.work(1000)
    with pytest.raises(StopIteration):
        steps.send(None)
    assert holds.longest_us == {"job": 2}


@pytest.mark.parametrize(("inner_us", "place"), [(60, "inner"), (40, "outer")])
def test_the_whole_hold_goes_to_where_most_of_it_was(
    clock: Clock, holds: Any, inner_us: int, place: str
) -> None:
    inner: Callable[[], None] = holds.call("inner", lambda: clock.work(inner_us))

    async def outer() -> None:
        clock.work(50)
        inner()
        clock.work(100 - 50 - inner_us if inner_us < 50 else 0)

    run(holds.steps("outer", outer()))
    assert holds.longest_us == {place: max(100, 50 + inner_us)}


def test_one_step_leaves_nothing_for_the_next(clock: Clock, holds: Any) -> None:
    inner = holds.call("inner", lambda: clock.work(90))

    async def outer() -> None:
        inner()
        await Pause()
        clock.work(10)

    run(holds.steps("outer", outer()))
    assert holds.longest_us == {"inner": 90, "outer": 10}


def test_what_is_thrown_in_reaches_the_coroutine(clock: Clock, holds: Any) -> None:
    caught = []

    async def job() -> None:
        try:
            await Pause()
        except asyncio.CancelledError as error:
            caught.append(error)
            clock.work(7)
            raise

    steps = holds.steps("job", job())
    steps.send(None)
    with pytest.raises(asyncio.CancelledError):
        steps.throw(asyncio.CancelledError())
    assert len(caught) == 1
    assert holds.longest_us == {"job": 7}


def test_an_error_passes_and_is_timed(clock: Clock, holds: Any) -> None:
    async def job() -> None:
        clock.work(8)
        raise KeyError("pear")

    with pytest.raises(KeyError, match="pear"):
        holds.steps("job", job()).send(None)
    assert holds.longest_us == {"job": 8}


def test_the_place_may_depend_on_the_owner(clock: Clock, holds: Any) -> None:
    class Owner:
        def __init__(self) -> None:
            self.ready = False

        async def read(self) -> None:
            clock.work(4)
            self.ready = True
            await Pause()
            clock.work(2)

    watched: Callable[[Owner], Coroutine[Any, Any, None]] = holds.coroutine(
        lambda owner: "reading" if owner.ready else "handshake", Owner.read
    )
    run(watched(Owner()))  # type: ignore[arg-type]
    assert holds.longest_us == {"handshake": 4, "reading": 2}
