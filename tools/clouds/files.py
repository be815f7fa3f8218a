"""Files by HTTPS for devices of another cloud: what in the vendor's world is any web server's."""

from pathlib import Path

from aiohttp import web

from tools.cloud.ca import Authority
from tools.cloud.limits import Limits
from tools.cloud.listener import SHUTDOWN_S, Listener
from tools.started import Started


class Files(Started):
    """A port of its own: `GET /NAME`, also a part of it (Range).

    Args:
        folder: the stand-in's, whose CA signs this server's certificate, so that devices trust it.
        hosts: names and addresses that the certificate is for; the first stands in URLs.
    """

    def __init__(self, folder: Path, hosts: tuple[str, ...] = ("localhost", "127.0.0.1")) -> None:
        self._host = hosts[0]
        self._files = folder / "files"
        self._files.mkdir(exist_ok=True)
        context = Authority(folder).server_context(hosts, mutual=False, file="files.pem")
        app = web.Application()
        app.router.add_static("/", self._files)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        self._listener = Listener(runner, context, Limits())

    def put(self, name: str, data: bytes) -> str:
        """Keep a file; returns its URL."""
        (self._files / name).write_bytes(data)
        return f"https://{self._host}:{self._port}/{name}"

    async def start(self) -> None:
        self._port = await self._listener.start("127.0.0.1", 0)

    async def stop(self) -> None:
        await self._listener.stop()
