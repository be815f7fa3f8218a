"""What open pages are sent: coalesced, bounded, and nothing of other devices."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.host.dashboard.browser import Events
from tests.patience import PATIENCE_S
from tools.dashboard import stream
from tools.dashboard.stream import Stream


class Server:
    """A stream over HTTP."""

    def __init__(self) -> None:
        self.snapshots = 0
        self.stream = Stream(lambda names: [{"name": name} for name in names], self._snapshot)
        application = web.Application()
        application.router.add_get("/", self._handle)
        application.on_shutdown.append(self._close)
        self.runner = web.AppRunner(application, shutdown_timeout=0)

    def _snapshot(self) -> dict[str, Any]:
        self.snapshots += 1
        return {"devices": [], "number": self.snapshots}

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return await self.stream.answer(request, request.query.get("device"))

    async def _close(self, _application: web.Application) -> None:
        self.stream.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    await made.runner.setup()
    await web.TCPSite(made.runner, "127.0.0.1", 0).start()
    yield made
    await made.runner.cleanup()


def page(server: Server, device: str = "") -> Events:
    return Events(f"http://127.0.0.1:{server.runner.addresses[0][1]}/?device={device}")


async def test_what_comes_at_once_comes_in_one_change(server: Server) -> None:
    async with page(server, "a") as one, page(server) as other:
        assert await one.next() == ("snapshot", {"devices": [], "number": 1})
        await other.next()
        for number in range(300):
            server.stream.changed(f"lamp-{number % 200}")
            server.stream.put("points", "a", [number, {"x": number}])
            server.stream.put("log", "b", {"id": number})
            server.stream.put("modes", "b", [number, "OTA"])
            server.stream.put("jobs", "a", [{"job": number}])
            server.stream.put("shadow", "b", ("", "$package")[number % 2])
        server.stream.world({"wifi": True})
        server.stream.world({"wifi": False})
        kind, change = await one.next()
        assert kind == "change" and len(change["devices"]) == 200
        assert [point[0] for point in change["points"]["a"]] == list(range(300))
        assert change["log"] == {} and change["jobs"] == {"a": [{"job": 299}]}
        assert change["shadow"] == {"b": ["", "$package"]}
        assert len(change["modes"]["b"]) == 300 and change["world"] == {"wifi": False}
        kind, change = await other.next()
        assert change["points"] == change["jobs"] == change["log"] == {} and len(change["devices"]) == 200
    assert server.snapshots == 2


async def test_never_more_than_four_a_second(server: Server) -> None:
    async with page(server) as one:
        await one.next()
        loop = asyncio.get_running_loop()
        times = []
        for number in range(5):
            server.stream.changed(f"lamp-{number}")
            await one.next()
            times.append(loop.time())
        assert times[-1] - times[0] >= 3.5 * stream.EVERY_S


async def test_a_page_that_is_behind_gets_a_snapshot_in_place_of_what_it_missed(server: Server) -> None:
    async with page(server, "a") as one:
        await one.next()
        (listener,) = server.stream.listeners
        for number in range(50_000):
            server.stream.put("points", "a", [number, {"x": 1}])
            server.stream.changed("a")
            assert sum(map(len, listener.parts.get("points", {}).values())) <= 2000
        assert await one.next() == ("snapshot", {"devices": [], "number": 2})
        server.stream.put("points", "a", [7, {"x": 1}])
        assert (await one.next())[1]["points"] == {"a": [[7, {"x": 1}]]}


async def test_a_page_that_takes_nothing_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_STALLED_S", 0.2)
    async with page(server, "a"):
        give_up = asyncio.get_running_loop().time() + PATIENCE_S
        while not server.stream.listeners:
            await asyncio.sleep(0.01)
        while server.stream.listeners and asyncio.get_running_loop().time() < give_up:
            for _ in range(100):
                server.stream.put("points", "a", [0, {"x" * 20_000: 1}])
            await asyncio.sleep(0.1)
        assert not server.stream.listeners


async def test_pages_that_go_are_forgotten_and_the_end_ends_all(server: Server) -> None:
    async with page(server):
        pass
    async with page(server) as one:
        await one.next()
        await server.runner.cleanup()
        with pytest.raises((EOFError, aiohttp.ClientError)):
            await one.next()
    assert not server.stream.listeners
