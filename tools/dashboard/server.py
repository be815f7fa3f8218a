"""The page's server: all of its parts, from the cloud's messages to the browser."""

import asyncio
import importlib.util
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiohttp import web

from tools import pages
from tools.dashboard import guard
from tools.dashboard.actions import JobList
from tools.dashboard.api import Api
from tools.dashboard.asked import BODY_MAX
from tools.dashboard.calls import Calls
from tools.dashboard.devices import Fleet
from tools.dashboard.feed import Feed
from tools.dashboard.guard import Guard
from tools.dashboard.history import History
from tools.dashboard.lookups import Lookups
from tools.dashboard.simulation import Simulation
from tools.dashboard.stream import EVERY_S, Stream
from tools.dashboard.updating import Releases
from tools.phone.serve import PAGE as PHONE
from tools.thing.account import Account
from tools.timeline import LOG_LINE

PAGE = Path(__file__).with_name("page")
PORT = 8009
_PLOT = "/plot/{name:uPlot[A-Za-z.]+}"
_log = logging.getLogger(__name__)

MakeFeed = Callable[[Callable[[str, bytes], None]], Feed]


class Dashboard:
    """The page of one cloud, as an async context manager in the caller's event loop.

    Args:
        account: the cloud, for boto3.
        make_feed: of its messages, which go to the function given.
        folder: where the history is kept.
        cloud: "local" or "aws".
        host, port: where it listens; port 0 takes any free one, None 8009 or any.
        writable: whether the page may change anything.
        is_ours: whether a thing is a client of this computer's, no device.
        releases: what devices can be updated to.
        simulation: whose world the page may change, too.
        say: called with what a person should know, in any thread.

    Raises:
        PageError: on entry, where the port is taken.
        BoardError: the cloud cannot be asked.
        OSError: the history cannot be kept.
    """

    def __init__(
        self,
        account: Account,
        make_feed: MakeFeed,
        folder: Path,
        cloud: str,
        host: str = "localhost",
        port: int | None = PORT,
        *,
        writable: bool = True,
        is_ours: Callable[[str], bool] = lambda name: False,
        releases: Releases | None = None,
        simulation: Simulation | None = None,
        say: Callable[[str], None] = _log.warning,
    ) -> None:
        self._host = host
        self._ports = (PORT, 0) if port is None else (port,)
        self._port = 0
        self._simulation = simulation
        self._cloud, self._where, self._writable = cloud, account.where, writable
        self._guard = Guard(host)
        self._history = History(folder, say=say)
        self._fleet = Fleet(self._history)
        self._feed = make_feed(self._fleet.message)
        self._calls = Calls(account)
        self._feed.on_state = self._feed_changed
        self._stream = Stream(self._fleet.summaries, self._snapshot)
        every_s, scan_s = (1.0, 30.0) if cloud == "local" else (3.0, 120.0)
        job_list = JobList()
        self._lookups = Lookups(
            self._fleet, self._stream, self._history, self._calls, job_list, is_ours, every_s, scan_s
        )
        self._fleet.told, self._fleet.asked = self._stream, self._lookups
        self._api = Api(
            self._about,
            self._fleet,
            self._history,
            self._stream,
            self._calls,
            job_list,
            self._lookups,
            releases,
            simulation,
        )
        application = web.Application(middlewares=[self._guard.watch], client_max_size=BODY_MAX)
        self._api.add_to(application.router)
        application.router.add_get(_PLOT, _plot)
        application.router.add_get("/common.css", _common)
        application.router.add_get("/{name:[A-Za-z0-9_.-]*}", _file)
        application.on_response_prepare.append(guard.add_headers)
        application.on_shutdown.append(self._shut_down)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """The page's link, with its token where it takes one."""
        return self._guard.link(self._port)

    async def __aenter__(self) -> "Dashboard":
        async with AsyncExitStack() as stack:
            stack.callback(self._calls.close)
            stack.enter_context(self._history)
            stack.push_async_callback(self._lookups.stop)  # after the last request, which may have it look
            self._port = await pages.listen(self._runner, self._host, *self._ports)
            stack.push_async_callback(self._runner.cleanup)
            for name in self._simulation.devices if self._simulation else ():
                self._fleet.add(name, by_console=True)
            await self._lookups.start(wait=self._simulation is None)  # whose devices are known
            await stack.enter_async_context(self._feed)
            ticking = asyncio.create_task(self._tick())
            stack.callback(ticking.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def line(self, name: str, line: str) -> None:
        """A line of a simulated device's console."""
        if name not in self._fleet.devices or line.startswith("= "):
            return
        if found := LOG_LINE.match(line):
            self._fleet.line(name, found["level"], found["area"], found["text"])
        else:
            self._fleet.line(name, "E", "", line)

    def _snapshot(self) -> dict[str, Any]:
        return self._api.snapshot()

    def _feed_changed(self) -> None:
        """It has a connection, or has lost it."""
        if self._feed.connected:
            self._lookups.missed()
        self._stream.renew()

    def _about(self) -> dict[str, Any]:
        problem = self._lookups.problem
        return {
            "cloud": self._cloud,
            "where": self._where,
            "writable": self._writable,
            "simulation": self._simulation is not None,
            "history_days": self._history.days,
            "feed": {"connected": self._feed.connected, "dropped": self._feed.dropped},
            "problem": {"text": problem.text, "remedy": problem.remedy} if problem else None,
        }

    async def _tick(self) -> None:
        """See what the world does of itself."""
        before: dict[str, Any] = {}
        while self._simulation:
            await asyncio.sleep(EVERY_S)
            for name, device in self._simulation.devices.items():
                self._fleet.power(name, device.powered)
            if self._stream.listeners and (now := self._simulation.state()) != before:
                before = now
                self._stream.world(now)

    async def _shut_down(self, _application: web.Application) -> None:
        self._stream.close()


async def _file(request: web.Request) -> web.StreamResponse:
    return pages.file(PAGE, request.match_info["name"])


async def _common(_request: web.Request) -> web.StreamResponse:
    """The colours and sizes of all pages."""
    return pages.file(PHONE, "common.css")


async def _plot(request: web.Request) -> web.StreamResponse:
    """uPlot's files, from the Python package that has them and that is never imported."""
    spec = importlib.util.find_spec("uplot")
    if not (spec and spec.origin):
        raise web.HTTPNotFound(reason="uPlot is not installed")
    return pages.file(Path(spec.origin).parent / "static", request.match_info["name"])
