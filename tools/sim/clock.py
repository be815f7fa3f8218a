"""A chip's clock: the host's, of which it runs ahead while its program waits."""

import asyncio
from collections.abc import Callable
from typing import Any


class Clock:
    """What a chip and the world around it take for the time, where that is what a test waits for.

    speed: how much faster it runs while the program waits. While that works it runs as the host's does, and
    where the world is late with an answer too: a slow machine brings no deadline nearer.
    """

    def __init__(self) -> None:
        self.speed = 1.0
        self.ahead_s = 0.0
        self._timers: set[Timer] = set()

    def time(self) -> float:
        """Seconds, as the event loop counts them, and what was skipped."""
        return asyncio.get_running_loop().time() + self.ahead_s

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: Any) -> "Timer":
        """Call it after so many seconds of this clock; `cancel` of what is returned takes it back."""
        timer = Timer(self._timers, self.time() + delay_s, callback, arguments)
        timer.arm(self.ahead_s)
        return timer

    async def sleep(self, delay_s: float) -> None:
        """Wait so many seconds of this clock."""
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        over = asyncio.Event()
        timer = self.call_later(delay_s, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    def skip(self, seconds: float) -> None:
        """Run ahead: what is to come comes sooner."""
        self.ahead_s += seconds
        for timer in list(self._timers):
            timer.arm(self.ahead_s)


class Timer:
    """What a clock calls later. It is one of `timers` until then."""

    def __init__(
        self, timers: "set[Timer]", due_s: float, callback: Callable[..., object], arguments: tuple[Any, ...]
    ) -> None:
        self._timers, self._due_s, self._callback, self._arguments = timers, due_s, callback, arguments
        self._handle: asyncio.TimerHandle | None = None

    def when(self) -> float:
        """The clock's time at which it is due."""
        return self._due_s

    def arm(self, ahead_s: float) -> None:
        self.cancel()
        self._timers.add(self)
        self._handle = asyncio.get_running_loop().call_at(self._due_s - ahead_s, self._fire)

    def cancel(self) -> None:
        self._timers.discard(self)
        if self._handle:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self.cancel()
        self._callback(*self._arguments)
