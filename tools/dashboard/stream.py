"""What changes, to each page that is open: coalesced, at most four times a second, bounded for slow ones."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

EVERY_S = 0.25
_MOST = 2000  # points, lines and the like that wait for one page; what is more makes it a whole snapshot
_STALLED_S = 60.0  # a page that takes nothing for so long is given up; it comes back by itself
_QUIET_S = 15.0  # then a comment tells both sides that the connection is there
_OF_DEVICE = ("points", "log", "jobs", "commands")
_LISTS = ("points", "log", "modes", "shadow")

Snapshot = Callable[[], dict[str, Any]]


class Listener:
    """One open page: what it has not been sent yet.

    Args:
        device: whose points, log lines, jobs and commands it gets, too.
    """

    def __init__(self, device: str | None) -> None:
        self.device = device
        self.is_behind = True  # the first that it gets is a snapshot
        self.waiting = asyncio.Event()
        self.waiting.set()
        self.clear()

    def clear(self) -> None:
        """Nothing waits."""
        self.names: dict[str, None] = {}
        self.parts: dict[str, dict[str, Any]] = {}
        self.world: dict[str, Any] | None = None
        self._count = 0

    def put(self, kind: str, name: str, value: Any) -> None:
        """One thing more: of lists the next item, of others the newest value."""
        if self.is_behind or (kind in _OF_DEVICE and name != self.device):
            return
        part = self.parts.setdefault(kind, {})
        if kind in _LISTS:
            part.setdefault(name, []).append(value)
            self._count += 1
            if self._count > _MOST:
                self.clear()
                self.is_behind = True
        else:
            part[name] = value
        self.waiting.set()


class Stream:
    """All open pages.

    Args:
        summaries: of the named devices, as a page gets them.
        snapshot: all of /api/fleet.
    """

    def __init__(self, summaries: Callable[[list[str]], list[dict[str, Any]]], snapshot: Snapshot) -> None:
        self._summaries = summaries
        self._snapshot = snapshot
        self.listeners: set[Listener] = set()
        self._ends = False

    def watches(self, device: str) -> bool:
        """Whether a page shows this device."""
        return any(listener.device == device for listener in self.listeners)

    def changed(self, name: str) -> None:
        """A device's summary is another."""
        for listener in self.listeners:
            if not listener.is_behind:
                listener.names[name] = None
                listener.waiting.set()

    def put(self, kind: str, name: str, value: Any) -> None:
        """Of `points`, `log`, `modes` and `shadow` one more, of `jobs` and `commands` what there is now."""
        for listener in self.listeners:
            listener.put(kind, name, value)

    def renew(self) -> None:
        """Have each page begin anew, with a snapshot."""
        for listener in self.listeners:
            listener.is_behind = True
            listener.waiting.set()

    def world(self, value: dict[str, Any]) -> None:
        """The simulated world is another."""
        for listener in self.listeners:
            listener.world = value
            listener.waiting.set()

    def close(self) -> None:
        """Have all pages' answers end."""
        self._ends = True
        for listener in self.listeners:
            listener.waiting.set()

    async def answer(self, request: web.Request, device: str | None) -> web.StreamResponse:
        """Send what happens for as long as the page is there."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        listener = Listener(device)
        self.listeners.add(listener)
        try:
            while not self._ends:
                text = await self._next(listener)
                started_s = time.monotonic()
                async with asyncio.timeout(_STALLED_S):
                    await response.write(text.encode())
                rest_s = EVERY_S - (time.monotonic() - started_s)
                if rest_s > 0:
                    await asyncio.sleep(rest_s)
        except (ConnectionError, TimeoutError):
            pass  # the page is gone, or asleep
        finally:
            self.listeners.discard(listener)
        return response

    async def _next(self, listener: Listener) -> str:
        try:
            async with asyncio.timeout(_QUIET_S):
                await listener.waiting.wait()
        except TimeoutError:
            return ": still here\n\n"
        listener.waiting.clear()
        if listener.is_behind:
            listener.clear()
            listener.is_behind = False
            return event("snapshot", self._snapshot())
        change: dict[str, Any] = {"devices": self._summaries(list(listener.names))}
        for kind in ("points", "log", "modes", "shadow", "jobs", "commands"):
            change[kind] = listener.parts.get(kind, {})
        change["shadow"] = {name: sorted(set(which)) for name, which in change["shadow"].items()}
        change["world"] = listener.world
        listener.clear()
        return event("change", change)


def event(kind: str, data: dict[str, Any]) -> str:
    """As text/event-stream has it."""
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
