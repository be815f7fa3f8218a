"""`logs serve`: the drain on this computer, beside the local cloud."""

import argparse
import asyncio
import base64
import json
import secrets
import ssl
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web
from rich.console import Console

from tools import pages
from tools.atomic import write_atomic
from tools.board.errors import BoardError, writing
from tools.cloud.ca import Authority
from tools.cloud.events import printable
from tools.signals import stop_event
from tools.thing.account import Account

from .devices import Devices
from .drain import function, requests
from .drain.drain import COUNTS, Drain, Report, Sink
from .drain.page import Page
from .drain.webhook import Webhook

HOSTS = ("localhost", "127.0.0.1")
_TOKEN_FILE = "logs-token"  # noqa: S105 - its name, in the cloud's state


async def run(args: argparse.Namespace) -> int:
    """Until Ctrl-C; the exit status. Raises BoardError."""
    with stop_event() as stop:
        async with Server(args.state, args.port, args.level, args.source, webhook_of(args)) as server:
            server.tell = Teller(args.json)
            if args.json:
                value = {"url": server.url, "token_file": str(server.token_file), "root": str(server.root)}
                print(json.dumps({"ok": True, "value": value}), flush=True)
            else:
                print(f"takes syslog: {server.url}\ntoken         {server.token_file}", flush=True)
                print(f"root          {server.root}\nwith curl     {server.curl}", flush=True)
            await stop.wait()
        Teller(args.json)("in all", server.drain.in_all())
    return 0


def webhook_of(args: argparse.Namespace) -> Webhook | None:
    """The one that is named. Raises BoardError."""
    if not args.webhook:
        return None
    try:
        return Webhook(args.webhook, ssl.create_default_context(cafile=args.root))
    except (ValueError, OSError) as error:  # ssl.SSLError is an OSError
        text = str(error) if isinstance(error, ValueError) else f"{args.root}: {error.strerror or error}"
        raise BoardError(text, "python3 -m tools logs serve --help shows one.") from None


class Teller:
    """Tells what became of frames.

    Args:
        as_json: one object each.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(highlight=False, soft_wrap=True, markup=False, color_system="auto")

    def __call__(self, whose: str, report: Report) -> None:
        """Of one call."""
        if self._as_json:
            self._console.out(json.dumps({"of": whose, **report.document()}), highlight=False)
            return
        counts = [f"{getattr(report, name)} {name}" for name in COUNTS[1:] if getattr(report, name)]
        words = ", ".join(counts) or ("came before" if report.is_repeated else "nothing")
        self._console.print(f"{time.strftime('%H:%M:%S')}  {whose:<8}  {words}")
        for text in report.told:
            self._console.print(f"          {printable(text)}", style="yellow")


class Server:
    """HTTPS for syslog and, where there is a webhook, the devices' lines: an async context manager.

    Args:
        state: the cloud's, which runs.
        port: 0 takes any free one.
        level, sources: as for Drain.
        webhook: where lines go beside the live page.

    Raises:
        BoardError: on entry, where there is no cloud or the port is taken.
    """

    def __init__(
        self, state: Path, port: int, level: str, sources: list[str], webhook: Webhook | None
    ) -> None:
        chain = Authority.chain_in(state)
        if chain is None:
            raise BoardError(f"{state}: no cloud was ever started there", "Start it: python3 -m tools cloud")
        self._page = Page(Account.local(state).data)
        sinks: list[Sink] = [webhook, self._page] if webhook else [self._page]
        self.drain = Drain(sinks, level, sources)
        self.tell: Callable[[str, Report], None] = lambda whose, report: None
        self.root = state / "ca.pem"
        self.token_file = state / _TOKEN_FILE
        self._state, self._port = state, port
        self._context = Authority(state, chain).server_context(HOSTS, mutual=False, file="logs.pem")
        self._devices = Devices(state, self.drain, self._told) if webhook else None
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return f"https://localhost:{self._port}/"

    @property
    def curl(self) -> str:
        """A command that sends a message."""
        message = "<14>1 - router kernel - - - hello"
        return (
            f'curl --cacert {self.root} -H "Logplex-Drain-Token: $(cat {self.token_file})" '
            f"--data-binary '{len(message)} {message}' {self.url}"
        )

    async def __aenter__(self) -> "Server":
        self._token = _token(self.token_file)
        self.drain.secrets = (self._token,)
        application = web.Application(client_max_size=requests.BODY_MAX)
        application.router.add_route("*", "/{path:.*}", self._request)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        async with AsyncExitStack() as stack:
            self._port = await pages.listen(runner, "localhost", self._port, ssl_context=self._context)
            stack.push_async_callback(runner.cleanup)
            if self._devices:
                await stack.enter_async_context(self._devices)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _told(self, report: Report) -> None:
        self.tell("devices", report)

    async def _request(self, request: web.Request) -> web.Response:
        """As a function's URL hands it on."""
        event = {
            "headers": dict(request.headers),
            "requestContext": {"http": {"method": request.method}},
            "body": base64.b64encode(await request.read()).decode(),
            "isBase64Encoded": True,
        }
        answer = await asyncio.to_thread(
            function.serve, self.drain, event, (self._token,), lambda report: self.tell("syslog", report)
        )
        return web.Response(status=answer["statusCode"], headers=answer["headers"], text=answer["body"])


def _token(path: Path) -> str:
    """The one that is kept, or a new one."""
    with writing(path):
        if not (path.exists() and path.read_text("ascii").strip()):
            write_atomic(path, secrets.token_urlsafe(24).encode(), 0o600)
        return path.read_text("ascii").strip()
