"""The broker to measure against: mosquitto where it is installed, else the local cloud in a thread."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tools.bench import mosquitto
from tools.bench.streams import client_context
from tools.cloud import Cloud, Limits

_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}],
}


@dataclass(frozen=True)
class Endpoint:
    """Where a broker listens on the loopback interface, and the TLS to reach it with."""

    name: str
    port: int
    root_pem: str
    pair: tuple[str, str]  # a client's certificate and key, PEM
    context: ssl.SSLContext


def _endpoint(name: str, port: int, root_pem: str, pair: tuple[str, str], folder: Path) -> Endpoint:
    return Endpoint(name, port, root_pem, pair, client_context(root_pem, pair, folder))


@asynccontextmanager
async def start(folder: Path) -> AsyncIterator[Endpoint]:
    """Run a broker that keeps its files in `folder`."""
    if mosquitto.find():
        async with mosquitto.Mosquitto(folder) as broker:
            authority = broker.authority
            yield _endpoint("mosquitto", broker.port, authority.root_pem, authority.issue(), folder)
    else:
        async with _cloud(folder) as endpoint:
            yield endpoint


@asynccontextmanager
async def _cloud(folder: Path) -> AsyncIterator[Endpoint]:
    loop = asyncio.get_running_loop()
    started: asyncio.Future[tuple[Endpoint, Any]] = loop.create_future()

    async def serve() -> None:
        async with Cloud(folder, limits=Limits.unthrottled()) as cloud:
            identity = cloud.create_identity(_POLICY)
            endpoint = _endpoint("the local cloud", cloud.port, cloud.root_ca, identity, folder)
            done = asyncio.Event()
            inside = asyncio.get_running_loop()
            stop = partial(inside.call_soon_threadsafe, done.set)
            loop.call_soon_threadsafe(started.set_result, (endpoint, stop))
            await done.wait()

    thread = asyncio.create_task(asyncio.to_thread(asyncio.run, serve()))
    both: set[asyncio.Future[Any]] = {thread, started}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if thread.done():
        await thread  # raises what kept it from starting
    endpoint, stop = started.result()
    try:
        yield endpoint
    finally:
        stop()
        await thread
