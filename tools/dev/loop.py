"""What becomes of each version that is saved: refused, brought to the device, kept, or taken back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from . import versions
from .versions import Files

TRIAL_S = 10.0  # without a traceback, and it is a good one
_TRACEBACK_S = 0.5  # until all of a traceback has come

Say = Callable[[str, str], None]
"""Shows a text in a style."""


class Target(Protocol):
    """A device, as the loop needs it."""

    async def bring(self, files: Files, changed: Files, removed: list[str]) -> None:
        """Have it run these files, of which those changed and were removed since the last call."""


class Loop:
    """Brings what is saved to a device.

    Args:
        target: the device.
        say: tells the developer.
        files: what the device has.
        failures: exceptions of `target` that are told, and the device keeps what it has.
        here: gives the files as they are now.
    """

    def __init__(
        self,
        target: Target,
        say: Say,
        files: Files,
        failures: tuple[type[Exception], ...],
        here: Callable[[], Files] = versions.here,
    ) -> None:
        self._target = target
        self._say = say
        self._there = files
        self._good: Files | None = None
        self._failures = failures
        self._here = here
        self._lock = asyncio.Lock()
        self._trial: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._since_s = 0.0
        self._on_trial()

    async def follow(self, saved: AsyncIterator[None]) -> None:
        """Take each version that is saved, until there are no more."""
        async for _ in saved:
            await self.take()

    async def take(self) -> None:
        """Bring what is here to the device, where that is another version, and one that compiles."""
        async with self._lock:
            try:
                new = self._here()
            except OSError as error:  # as of one that goes while they are read: a notice of that follows
                self._say(f"{error}", "red")
                return
            changed, removed = versions.difference(new, self._there)
            if not changed and not removed:
                return
            if wrong := await asyncio.to_thread(versions.complaints, changed, new):
                for text in wrong:
                    self._say(text, "red")
                self._say("not brought: the device keeps the version before", "yellow")
                return
            self._say(f"saved: {versions.shown([*changed, *removed])}", "bold")
            await self._bring(new, changed, removed, time.monotonic() - versions.age_s(changed))

    async def _bring(self, new: Files, changed: Files, removed: list[str], begin_s: float) -> None:
        if self._trial:
            self._trial.cancel()
        self._trial = None
        try:
            await self._target.bring(new, changed, removed)
        except self._failures as error:
            self._say(f"{error}", "red")
            return
        self._there = new
        self._since_s = begin_s
        self._on_trial()

    def runs(self) -> float | None:
        """Asked at the first line of a new version: the seconds since it was seen to be saved; else None."""
        since_s, self._since_s = self._since_s, 0.0
        return time.monotonic() - since_s if since_s else None

    def on_traceback(self) -> None:
        """The device shows one: a version that has not proved itself goes back to one that has."""
        if self._trial and self._good is not None:
            self._trial.cancel()
            self._trial = None
            task = asyncio.get_running_loop().create_task(self._back(self._good))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _on_trial(self) -> None:
        self._trial = asyncio.get_running_loop().call_later(TRIAL_S, self._keep)

    def _keep(self) -> None:
        self._trial, self._good = None, self._there

    async def _back(self, good: Files) -> None:
        await asyncio.sleep(_TRACEBACK_S)
        async with self._lock:
            changed, removed = versions.difference(good, self._there)
            if changed or removed:
                self._say("taken back: the version before runs again; what is saved next is tried", "yellow")
                await self._bring(good, changed, removed, time.monotonic())
