"""A chip's interrupts: timers, edges on pins, and the line on which its program is told of them."""

import asyncio
import json
from typing import Any

from tools.sim.clock import Clock, Timer

_DEPTH = 8  # MICROPY_SCHEDULER_DEPTH: what comes while so many wait is lost, as on the chip
_RISING, _FALLING = 1, 2


class Interrupts:
    """What interrupts one program, one after the other; `lost` counts what came while too many waited."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lost = 0
        self._waiting: asyncio.Queue[list[Any]] = asyncio.Queue(_DEPTH)
        self._timers: dict[int, Timer] = {}
        self._edges: dict[int, int] = {}
        self._levels: dict[int, int] = {}
        self._listener: asyncio.Task[Any] | None = None

    def clear(self) -> None:
        """Be as after a reset."""
        if self._listener:
            self._listener.cancel()
            self._listener = None
        for timer in self._timers.values():
            timer.cancel()
        for kept in (self._timers, self._edges, self._levels):
            kept.clear()
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell a program, one line each, until it ends; it answers each with a line."""
        self._listener = asyncio.current_task()
        while True:
            event = await self._waiting.get()
            writer.write(json.dumps(event).encode() + b"\n")
            await writer.drain()
            if not await reader.readline():
                return

    def timer(self, number: int, period_s: float, repeat: bool) -> None:
        """Start a timer, or start it again."""
        self.stop_timer(number)
        self._timers[number] = self._clock.call_later(period_s, self._fire, number, period_s if repeat else 0)

    def stop_timer(self, number: int) -> None:
        """Stop a timer, if it runs."""
        if timer := self._timers.pop(number, None):
            timer.cancel()

    def watch(self, pin: int, edges: int, level: int) -> None:
        """Interrupt at these edges of a pin from now on, 0 for none; level: its present one."""
        self._edges[pin] = edges
        self._levels[pin] = level

    def level(self, pin: int, level: int) -> None:
        """A pin's level is this now."""
        before = self._levels.get(pin, level)
        self._levels[pin] = level
        if level != before and self._edges.get(pin, 0) & (_RISING if level else _FALLING):
            self._post("pin", pin)

    def _fire(self, number: int, period_s: float) -> None:
        del self._timers[number]
        if period_s:
            self.timer(number, period_s, repeat=True)
        self._post("timer", number)

    def _post(self, *event: Any) -> None:
        try:
            self._waiting.put_nowait([*event])
        except asyncio.QueueFull:
            self.lost += 1
