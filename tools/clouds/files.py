"""Files by HTTPS for devices of another cloud: what in the vendor's world is any web server's."""

from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tools.cloud.ca import Authority
from tools.cloud.limits import Limits
from tools.cloud.listener import SHUTDOWN_S, Listener


class Files:
    """A port of its own: `GET /NAME`, also a part of it (Range).

    Args:
        folder: the stand-in's, whose CA signs this server's certificate, so that devices trust it.
        hosts: names and addresses that the certificate is for; the first stands in URLs.
    """

    def __init__(self, folder: Path, hosts: tuple[str, ...] = ("localhost", "127.0.0.1")) -> None:
        self._host = hosts[0]
        self._files: dict[str, bytes] = {}
        context = Authority(folder).server_context(hosts, mutual=False, file="files.pem")
        app = web.Application()
        app.router.add_get("/{name}", self._get)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        self._listener = Listener(runner, context, Limits())

    def put(self, name: str, data: bytes) -> str:
        """Keep a file; returns its URL."""
        self._files[name] = data
        return f"https://{self._host}:{self._port}/{name}"

    async def __aenter__(self) -> Self:
        self._port = await self._listener.start("127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._listener.stop()

    async def _get(self, request: web.Request) -> web.Response:
        data = self._files.get(request.match_info["name"])
        if data is None:
            raise web.HTTPNotFound
        try:
            asked = request.http_range
        except ValueError:
            raise web.HTTPRequestRangeNotSatisfiable from None
        first, end, _ = asked.indices(len(data))
        if asked == slice(None, None, 1):
            return web.Response(body=data)
        if first >= end:
            raise web.HTTPRequestRangeNotSatisfiable
        headers = {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"}
        return web.Response(status=206, body=data[first:end], headers=headers)
