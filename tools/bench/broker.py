"""The brokers to measure, each a process of its own: mosquitto where it is installed, and the local cloud."""

import asyncio
import re
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.bench import mosquitto
from tools.bench.streams import client_context
from tools.cloud import Cloud
from tools.cloud.fleet import MAY_ALL

_ROOT = Path(__file__).resolve().parents[2]
_START_S = 60


@dataclass(frozen=True)
class Endpoint:
    """Where a broker listens on the loopback interface, its process, and the TLS to reach it with."""

    name: str
    port: int
    pid: int
    root_pem: str
    pair: tuple[str, str]  # a client's certificate and key, PEM
    context: ssl.SSLContext


@asynccontextmanager
async def start(folder: Path) -> AsyncIterator[Endpoint]:
    """Run mosquitto, or the local cloud where there is none, with its files in `folder`."""
    async with start_mosquitto(folder) if mosquitto.find() else start_cloud(folder) as endpoint:
        yield endpoint


@asynccontextmanager
async def start_mosquitto(folder: Path) -> AsyncIterator[Endpoint]:
    async with mosquitto.Mosquitto(folder) as broker:
        pair = broker.authority.issue()
        context = client_context(broker.authority.root_pem, pair, folder)
        yield Endpoint("mosquitto", broker.port, broker.pid, broker.authority.root_pem, pair, context)


@asynccontextmanager
async def start_cloud(folder: Path) -> AsyncIterator[Endpoint]:
    cloud = Cloud(folder / "state")  # makes the folder
    pair, root_pem = cloud.create_identity(MAY_ALL), cloud.root_ca
    await cloud.stop()
    log = folder / "cloud.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tools", "cloud", "--port", "0", "--unthrottled", "--no-page"),
            *("--state", folder / "state"),
            cwd=_ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        async with asyncio.timeout(_START_S):
            while not (found := re.search(r"listens on .* port (\d+)", log.read_text())):
                if process.returncode is not None:
                    raise RuntimeError(f"the local cloud ended at once: {log.read_text()}")
                await asyncio.sleep(0.02)
        context = client_context(root_pem, pair, folder)
        yield Endpoint("the local cloud", int(found[1]), process.pid, root_pem, pair, context)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
