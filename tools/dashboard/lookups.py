"""What no message tells, asked of the cloud in the background: who there is, certificates, jobs."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from tools.board.errors import BoardError
from tools.dashboard import actions
from tools.dashboard.calls import Calls
from tools.dashboard.devices import Device, Fleet
from tools.dashboard.history import History
from tools.dashboard.stream import Stream

Result = TypeVar("Result")
THINGS_MAX = 1000
_AT_ONCE = 4
_UNDER_WAY = ("QUEUED", "IN_PROGRESS", "CREATED")
_log = logging.getLogger(__name__)


class Lookups:
    """Looks, when a message or a page makes it, and again while something is under way.

    Args:
        fleet: hears what is found.
        stream: whose pages are told of jobs and commands.
        history: what was known before.
        calls: to the cloud.
        job_list: asks for jobs.
        is_ours: whether a thing is a client of this computer's, no device.
        every_s: between two looks at what is under way.
        scan_s: between two looks at who there is.
    """

    def __init__(
        self,
        fleet: Fleet,
        stream: Stream,
        history: History,
        calls: Calls,
        job_list: actions.JobList,
        is_ours: Callable[[str], bool],
        every_s: float,
        scan_s: float,
    ) -> None:
        self._fleet = fleet
        self._stream = stream
        self._history = history
        self._calls = calls
        self._is_ours = is_ours
        self._every_s = every_s
        self._scan_s = scan_s
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by what they look at: each once at a time
        self._again: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._list = job_list
        self._looked: set[str] = set()
        self._strangers: set[str] = set()
        self.problem: BoardError | None = None

    async def start(self, wait: bool) -> None:
        """Look who there is, and go on looking. Where it waits for the first look it raises BoardError."""
        if wait:
            await self._scan()
        else:
            self._wake.set()
        self._run("scan", self._scanning)

    async def stop(self) -> None:
        """Look no more."""
        tasks, self._again = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def unknown(self, name: str) -> None:
        """A message of somebody who is no device as far as is known."""
        if name not in self._strangers and not self._is_ours(name) and not name.startswith("claim-"):
            self._wake.set()

    def connected(self, name: str, certificate_id: str) -> None:
        """A device has connected, with this certificate."""
        if certificate_id:
            self._run(f"certificate {name}", lambda: self._certificate(name, certificate_id))

    def jobs(self, name: str) -> None:
        """A device's jobs are others than they were."""
        if name in self._fleet.devices:
            self._run(f"jobs {name}", lambda: self._follow_jobs(name))

    def found(self, name: str, jobs: list[dict[str, Any]]) -> None:
        """A device's jobs, which a page has asked for; those under way are followed."""
        self._fleet.jobs(name, jobs)
        if _is_under_way(jobs):
            self.jobs(name)

    def commands(self, name: str) -> None:
        """A device has been told to do something."""
        if self._stream.watches(name):
            self._run(f"commands {name}", lambda: self._follow_commands(name))

    def missed(self) -> None:
        """Messages were not heard for a while: who is there is asked."""
        self._run("connections", self._connections)

    def metrics(self, name: str) -> None:
        """A device's report of itself has been taken."""
        self._run(f"metrics {name}", lambda: self._metrics(name))

    async def _look_at(self, name: str) -> None:
        """What nothing has told of a device as yet."""
        device = self._fleet.devices[name]
        last, modes = await asyncio.to_thread(
            lambda: (self._history.last(name), self._history.modes(name, 1))
        )
        self._fleet.recall(name, last, modes[-1][1] if modes else None)
        if device.connected is None:
            await self._connection(device)
        ends = await self._ask(actions.certificates, name)
        active = [it["end"] for it in ends if it["status"] == "ACTIVE" and it["end"] is not None]
        if active:
            self._fleet.set(name, certificate_end=max(active))
        if device.version is None:
            self._fleet.packages(device, await self._ask(actions.package, name))
        if await self._ask(actions.has_work, name):
            self.jobs(name)
        self._looked.add(name)

    async def _connections(self) -> None:
        for device in list(self._fleet.devices.values()):
            if device.connected is not None:  # else it is looked at, or is to come
                await self._connection(device)

    async def _connection(self, device: Device) -> None:
        """Whether it is there, as long as no message tells it."""
        number = device.presence
        found = await self._ask(actions.connection, device.name)
        if device.presence == number and found["connected"] is not None:
            self._fleet.set(device.name, **found)
            if found["connected"]:
                self._fleet.is_connected(device)

    async def _ask(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """A few at a time, so that a page need not wait."""
        async with self._slots:
            return await self._calls.ask(function, *arguments)

    async def _metrics(self, name: str) -> None:
        self._fleet.metrics(name, await self._ask(actions.metrics, name))

    def _run(self, what: str, look: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Look now, or once more when the look that is on has ended."""
        if what in self._tasks:
            self._again[what] = look
            return
        self._tasks[what] = task = asyncio.create_task(self._guarded(look))
        task.add_done_callback(lambda _: self._ended(what))

    def _ended(self, what: str) -> None:
        del self._tasks[what]
        if look := self._again.pop(what, None):
            self._run(what, look)

    async def _guarded(self, look: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await look()
        except BoardError as error:
            self.problem = error
            _log.warning("%s", error)
        except Exception:  # the page goes on without it
            _log.exception("a look at the cloud")

    async def _scanning(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._scan_s):
                    await self._wake.wait()
                await asyncio.sleep(self._every_s / 4)  # others come with it
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._scan()
            except BoardError as error:
                self.problem = error
            await asyncio.sleep(self._every_s)  # who is no device may go on and on

    async def _scan(self) -> None:
        found = {it["thingName"] for it in await self._ask(actions.things, THINGS_MAX)}
        self.problem = None
        self._strangers = {name for name in found if self._is_ours(name)}
        for name in sorted(found - self._strangers - self._looked):
            self._fleet.add(name)
            self._run(f"look {name}", partial(self._look_at, name))

    async def _certificate(self, name: str, certificate_id: str) -> None:
        end = await self._ask(actions.certificate_end, certificate_id)
        self._fleet.set(name, certificate_end=end)

    async def _follow_jobs(self, name: str) -> None:
        """Until none is under way."""
        while True:
            found = await self._ask(self._list.of, name)
            self._fleet.jobs(name, found)
            if not _is_under_way(found):
                return
            await asyncio.sleep(self._every_s)

    async def _follow_commands(self, name: str) -> None:
        """Until each has its end."""
        while True:
            found = await self._ask(actions.list_commands, name)
            self._stream.put("commands", name, found)
            if not _is_under_way(found):
                return
            await asyncio.sleep(self._every_s)


def _is_under_way(found: list[dict[str, Any]]) -> bool:
    """Whether any of these jobs or commands is."""
    return any(it["status"] in _UNDER_WAY for it in found)
