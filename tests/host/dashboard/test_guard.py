"""Who gets the page and who does not: names, origins, the token of its link."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from tools.dashboard import guard
from tools.dashboard.guard import Guard


class Server:
    """A page behind a guard, whose host may be another than the one it listens on."""

    def __init__(self, host: str) -> None:
        self.guard = Guard(host)
        application = web.Application(middlewares=[self.guard.watch])
        application.router.add_route("*", "/{path:.*}", self._handle)
        application.on_response_prepare.append(guard.add_headers)
        self.runner = web.AppRunner(application, shutdown_timeout=0)
        self.changes = 0
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def _handle(self, request: web.Request) -> web.Response:
        self.changes += request.method != "GET"
        if request.path == "/api/nothing":
            raise web.HTTPNotFound
        return web.Response(text="the page")

    async def start(self) -> "Server":
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]
        return self

    async def ask(
        self, path: str = "/", method: str = "GET", **headers: str
    ) -> tuple[int, str, aiohttp.ClientResponse]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, headers=named, data=b"{}") as answer:
            return answer.status, await answer.text(), answer


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = await Server("localhost").start()
    yield made
    await made.session.close()
    await made.runner.cleanup()


@pytest.fixture
async def open_server() -> AsyncIterator[Server]:
    made = await Server("192.168.1.20").start()
    yield made
    await made.session.close()
    await made.runner.cleanup()


async def test_a_name_that_somebody_led_here_gets_nothing(server: Server) -> None:
    for host in ("localhost", "127.0.0.1", "[::1]:8009", f"localhost:{server.port}"):
        assert (await server.ask("/api/fleet", Host=host))[0] == 200, host
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.nip.io"):
        status, text, _ = await server.ask("/api/fleet", Host=host)
        assert status == 421 and "localhost" in text


async def test_pages_of_other_sites_get_nothing_and_change_nothing(server: Server) -> None:
    here = f"127.0.0.1:{server.port}"
    for origin in (f"http://{here}", f"https://{here}"):  # a proxy may bring https
        assert (
            await server.ask("/api/x", "POST", Host=here, Origin=origin, Content_Type="application/json")
        )[0] == 200
    before = server.changes
    for origin in ("null", "http://evil.example", "http://127.0.0.1:1", f"file://{here}", "http://[", ""):
        for method in ("GET", "POST", "PUT", "DELETE"):
            status, _, _ = await server.ask("/api/x", method, Origin=origin, Content_Type="application/json")
            assert status == 403, (origin, method)
    for site in ("cross-site", "same-site"):  # which says no Origin where it loads an image
        assert (await server.ask("/api/x", Sec_Fetch_Site=site))[0] == 403
    assert server.changes == before


async def test_what_a_form_of_another_site_can_send_is_not_taken(server: Server) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert (await server.ask("/api/x", method, Content_Type=kind))[0] == 415
    assert server.changes == 0


async def test_each_answer_has_the_headers_and_a_failure_is_json(server: Server) -> None:
    for path, status in (("/", 200), ("/api/nothing", 404)):
        found, text, answer = await server.ask(path)
        assert found == status
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert text.startswith('{"error": {"text": ') and "remedy" in text


async def test_beyond_this_computer_only_the_link_lets_in(open_server: Server) -> None:
    link = open_server.guard.link(open_server.port)
    assert link.startswith(f"http://192.168.1.20:{open_server.port}/?token=")
    token = link.rpartition("=")[2]
    assert len(token) >= 43
    for path in (
        "/",
        "/api/fleet",
        "/?token=",
        f"/?token={token[:-1]}",
        f"/?token={token}x",
        f"/api/fleet?token={token}",
    ):
        assert (await open_server.ask(path))[0] == 401, path
    status, text, answer = await open_server.ask(f"/?token={token}")
    assert status == 200 and "the page" not in text
    cookie = answer.cookies[f"dashboard-{open_server.port}"]
    assert cookie["httponly"] and cookie["samesite"] == "Strict" and cookie["path"] == "/"
    for path in ("/", "/api/fleet"):
        assert (await open_server.ask(path))[1] == "the page"
    open_server.session.cookie_jar.clear()
    assert (await open_server.ask("/", Cookie=f"dashboard-{open_server.port}=\xe9"))[0] == 401


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "LOCALHOST"])
def test_on_this_computer_alone_there_is_no_token(host: str) -> None:
    assert not Guard(host).token


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "mypc.local", "localhost.evil.example"])
def test_anywhere_else_there_is_one_and_never_the_same(host: str) -> None:
    assert Guard(host).token != Guard(host).token
