"""What is measured."""

import asyncio
import json
import os
import time
from asyncio import events
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from iot.mqtt.client import Client

from tools.bench.broker import Endpoint
from tools.bench.streams import Stream, device_client, opener
from tools.sim.radio import Air, Station
from tools.sim.relay import Relay

ROOT = Path(__file__).resolve().parents[2]
TOPIC = "bench/telemetry"
PAYLOAD = b'{"temperature": 21.5, "humidity": 48.0, "uptime": 123456, "rssi": -61}'
_WAIT_MS = 120_000


class BenchError(Exception):
    """A measurement that did not come to its end."""


def device(endpoint: Endpoint, port: int | None = None) -> Client:
    """The device's client, with its defaults."""
    open_stream = opener("localhost", port or endpoint.port, endpoint.context)
    return device_client("bench", open_stream, clean=True)


def simple(endpoint: Endpoint, client_class: Any, port: int | None = None) -> Any:
    """umqtt.simple's client."""
    ssl_params = {"context": endpoint.context, "server_hostname": "localhost"}
    return client_class(b"bench", "127.0.0.1", port or endpoint.port, ssl=True, ssl_params=ssl_params)


async def publish_all(client: Client, count: int, qos: int) -> None:
    """Publish `count` messages as fast as the outbox takes them, and wait until the broker has them all."""
    for _ in range(count):
        while not client.publish(TOPIC, PAYLOAD, qos=qos):  # noqa: ASYNC110 (as an application would)
            await asyncio.sleep(0)
    if not await client.flush(_WAIT_MS):
        raise BenchError(f"{len(client.outbox)} messages did not go out")
    await client.ping()


async def acknowledged(
    endpoint: Endpoint, client_class: Any, count: int, delay_s: float
) -> tuple[float, float]:
    """Seconds for `count` messages of QoS 1 over a link with `delay_s` each way: (ours, umqtt.simple's)."""
    async with _link(endpoint, delay_s) as port:
        client = device(endpoint, port)
        await client.connect()
        start = time.perf_counter()
        await publish_all(client, count, qos=1)
        ours = time.perf_counter() - start
        await client.disconnect()
        theirs = await asyncio.to_thread(
            _acknowledged_one_by_one, simple(endpoint, client_class, port), count
        )
    return ours, theirs


def _acknowledged_one_by_one(client: Any, count: int) -> float:
    client.connect()
    start = time.perf_counter()
    for _ in range(count):
        client.publish(TOPIC.encode(), PAYLOAD, qos=1)
    seconds = time.perf_counter() - start
    client.disconnect()
    return seconds


@asynccontextmanager
async def _link(endpoint: Endpoint, delay_s: float) -> AsyncIterator[int]:
    """The simulated network's relay to the broker; yields its port."""
    station = Station(Air({}))
    station.down.clear()
    station.up.set()
    relay = Relay(("127.0.0.1", endpoint.port), station, lambda: delay_s)
    port = await relay.start()
    try:
        yield port
    finally:
        await relay.stop()


async def unacknowledged(endpoint: Endpoint, client_class: Any, count: int) -> tuple[float, float]:
    """Messages of QoS 0 a second, until the broker has them all: (ours, umqtt.simple's)."""
    client = device(endpoint)
    await client.connect()
    start = time.perf_counter()
    await publish_all(client, count, qos=0)
    ours = count / (time.perf_counter() - start)
    await client.disconnect()
    theirs = count / await asyncio.to_thread(_unacknowledged, simple(endpoint, client_class), count)
    return ours, theirs


def _unacknowledged(client: Any, count: int) -> float:
    client.connect()
    start = time.perf_counter()
    for _ in range(count):
        client.publish(TOPIC.encode(), PAYLOAD)
    client.ping()
    client.wait_msg()  # until PINGRESP: then the broker has taken everything before it
    seconds = time.perf_counter() - start
    client.disconnect()
    return seconds


class LoopWatch:
    """Times every callback of this event loop; `longest` has the longest of each phase, in seconds."""

    def __init__(self) -> None:
        self.phase = ""
        self.longest: dict[str, float] = defaultdict(float)

    @contextmanager
    def watching(self) -> Iterator[None]:
        original = events.Handle._run
        loop = asyncio.get_running_loop()

        def run(handle: Any) -> None:
            start = time.perf_counter()
            original(handle)
            if handle._loop is loop:
                seconds = time.perf_counter() - start
                self.longest[self.phase] = max(self.longest[self.phase], seconds)

        setattr(events.Handle, "_run", run)  # noqa: B010 (mypy)
        try:
            yield
        finally:
            setattr(events.Handle, "_run", original)  # noqa: B010


async def held(endpoint: Endpoint, count: int) -> dict[str, float]:
    """The longest time in seconds that the loop was held in TLS's handshake, connect and publish."""
    watch = LoopWatch()
    open_stream = opener("localhost", endpoint.port, endpoint.context)

    async def open_watched() -> Stream:
        watch.phase = "TLS handshake"
        stream = await open_stream()
        watch.phase = "connect"
        return stream

    client = device_client("bench", open_watched, clean=True)
    with watch.watching():
        await client.connect()
        watch.phase = "publish"
        await publish_all(client, count, qos=0)
        await publish_all(client, count, qos=1)
        watch.phase = "disconnect"
        await client.disconnect()
    return {name: watch.longest[name] for name in ("TLS handshake", "connect", "publish")}


async def on_micropython(
    binary: str, endpoint: Endpoint, umqtt_folder: Path, counts: tuple[int, int], delay_s: float
) -> dict[str, float]:
    """The same on a MicroPython unix binary; `counts` are of QoS 1 and QoS 0. See on_micropython.py."""
    async with _link(endpoint, delay_s) as slow_port:
        task = {
            "slow_port": slow_port,
            "port": endpoint.port,
            "der": ["".join(pem.splitlines()[1:-1]) for pem in (endpoint.root_pem, *endpoint.pair)],
            "acknowledged": counts[0],
            "messages": counts[1],
            "topic": TOPIC,
            "payload": PAYLOAD.decode(),
        }
        process = await asyncio.create_subprocess_exec(
            binary,
            ROOT / "tools/bench/on_micropython.py",
            env={**os.environ, "MICROPYPATH": f".frozen:{ROOT / 'lib'}:{umqtt_folder}"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_WAIT_MS / 1000):
                output, _ = await process.communicate(json.dumps(task).encode() + b"\n")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    text = output.decode()
    if process.returncode:
        raise BenchError(f"{binary}: {text.strip()}")
    figures: dict[str, float] = json.loads(text.splitlines()[-1])
    return figures
