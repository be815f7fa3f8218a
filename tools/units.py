"""Many devices on one machine: starts are paced, each has its own deadline, one that fails ends no other."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from tools.sim import Device

_FILES_EACH = 24  # what a device takes of this process's file descriptors: pipes, lines, relays, connections
_FILES_ELSE = 256
_LOOK_S = 0.1
_LATE_S = 0.2  # by which this process may be late before a start waits for it
_CALM_S = 60.0  # at most


@dataclass
class Unit:
    """One device, what was seen of it, and why it was given up. wanted: messages until it has had enough.

    on_line: called with each line of its console.
    """

    device: Device
    name: str
    wanted: int
    acknowledged: int = 0
    received: int = 0
    failure: str = ""
    on_line: Callable[[str], None] = lambda line: None
    works: asyncio.Event = field(default_factory=asyncio.Event)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, acknowledged: int = 0, received: int = 0) -> None:
        self.acknowledged += acknowledged
        self.received += received
        whole = min(self.acknowledged, self.received)
        if whole:
            self.works.set()
        if whole >= self.wanted:
            self.enough.set()

    def __str__(self) -> str:
        last = self.device.lines[-1] if self.device.lines else "none"
        return f"{self.name}: {self.acknowledged} acknowledged, {self.received} received; last line: {last}"


async def bring_up(
    units: Iterable[Unit],
    start: Callable[[Unit], Awaitable[None]],
    timeout_s: float,
    until_enough: bool,
    failures: tuple[type[Exception], ...],
    on_failure: Callable[[Unit], None],
    at_once: int = 0,
) -> None:
    """Start all, a few at a time, and return when each works, has had enough, or has failed.

    Args:
        units: in the order of their starts.
        start: powers one on and configures it.
        timeout_s: for each, from its own start on.
        until_enough: wait for all wanted messages of each; else for its first.
        failures: exceptions of `start` that are the unit's fault; a TimeoutError always is.
        on_failure: called with each unit that failed, once `failure` says why.
        at_once: how many are on their way to their first message; 0 for what this machine's cores allow.
    """
    slots = asyncio.Semaphore(at_once or 2 + 2 * (os.cpu_count() or 1))
    loop = asyncio.get_running_loop()

    async def one(unit: Unit) -> None:
        try:
            async with asyncio.timeout(None) as deadline:
                async with slots:
                    await _calm()
                    deadline.reschedule(loop.time() + timeout_s)
                    await start(unit)
                    await unit.works.wait()
                if until_enough:
                    await unit.enough.wait()
        except TimeoutError:
            unit.failure = (
                f"not {unit.wanted if until_enough else 1} messages within {timeout_s:g} s of its start"
            )
            on_failure(unit)
        except failures as error:
            unit.failure = str(error)
            on_failure(unit)

    async with asyncio.TaskGroup() as group:
        for unit in units:
            group.create_task(one(unit))


async def _calm() -> None:
    """Wait while this process, which is the air and the cloud of all, is late for everything."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _CALM_S
    while (before := loop.time()) < end:
        await asyncio.sleep(_LOOK_S)
        if loop.time() - before < _LOOK_S + _LATE_S:
            return


def allow_files(devices: int) -> None:
    """Raise this process's limit of open files to what so many devices take, as far as the system lets it."""
    try:
        import resource  # noqa: PLC0415 - Unix alone
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_ELSE + _FILES_EACH * devices
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
