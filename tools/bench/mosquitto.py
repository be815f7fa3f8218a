"""mosquitto with mutual TLS on a port of its own."""

import asyncio
import shutil
import socket
from pathlib import Path

from tools.cloud.ca import Authority
from tools.started import Started

_START_S = 20

_CONFIGURATION = """
listener {port} 127.0.0.1
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.pem
require_certificate true
use_identity_as_username true
allow_anonymous false
persistence true
persistence_location {folder}/
max_queued_messages 0
set_tcp_nodelay true
log_dest file {folder}/mosquitto.log
user root
"""


def find() -> str | None:
    """The path of mosquitto's binary. Debian keeps it where only root looks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def require() -> str:
    """The same; FileNotFoundError, which says what brings it."""
    if (program := find()) is None:
        raise FileNotFoundError("mosquitto is not installed: on Debian and Ubuntu, apt install mosquitto")
    return program


def free_port() -> int:
    """One that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


async def accepts(port: int) -> bool:
    """Whether anybody takes a connection there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class Mosquitto(Started):
    """A broker for clients with certificates of `authority`; what it keeps outlives `stop` and `start`.

    Args:
        folder: for its configuration, log and sessions.
        hosts: what the server's certificate is for.
        configuration: mosquitto.conf, with `{port}` and `{folder}` where those belong.
        port: TCP's; 0 for one that is free.
    """

    def __init__(
        self,
        folder: Path,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
        configuration: str = _CONFIGURATION,
        port: int = 0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(folder)
        self.authority.server_context(hosts)  # writes server.pem
        self.port: int = port or free_port()
        self._log = folder / "mosquitto.log"
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text(configuration.format(port=self.port, folder=folder))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        program = require()
        with self._log.open("ab") as log:  # for what it says before it has read where to
            self._process = await asyncio.create_subprocess_exec(
                program, "-c", self._configuration, stderr=log
            )
        async with asyncio.timeout(_START_S):
            while not await self._listens():
                if self._process.returncode is not None:
                    raise RuntimeError(f"mosquitto ended at once: {self._log.read_text()}")
                await asyncio.sleep(0.02)

    @property
    def pid(self) -> int:
        """Of its process, once it runs."""
        assert self._process is not None
        return self._process.pid

    async def _listens(self) -> bool:
        return await accepts(self.port)

    async def stop(self) -> None:
        """Terminate it: connections break without a goodbye, what it promised to keep it writes down."""
        if self._process and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
