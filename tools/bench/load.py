"""What clients cost a broker: memory by connection, processor time by message, both of its process alone."""

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil
from iot.mqtt.client import Client

from tools.bench import broker, mosquitto
from tools.bench.broker import Endpoint
from tools.bench.measures import TOPIC, publish_all
from tools.bench.streams import device_client, opener

_WARM_UP = 10  # connections, and messages: what is made once is no connection's
_AT_ONCE = 20
_DEADLINE_S = 120  # for anything: it is not time that is measured here


async def measure(folder: Path, connections: int, messages: int, runs: int) -> dict[str, dict[str, float]]:
    """By broker: KiB a connection, and microseconds a message of QoS 0 and 1, medians of `runs`.

    Both brokers at once, so that what else the machine does meets both.
    """
    brokers = {"cloud": broker.start_cloud}
    if mosquitto.find():
        brokers["mosquitto"] = broker.start_mosquitto
    async with AsyncExitStack() as stack:
        endpoints = {
            name: await stack.enter_async_context(start(folder / name)) for name, start in brokers.items()
        }
        found = {
            name: {"connection_kib": await connection_kib(endpoint, connections)}
            for name, endpoint in endpoints.items()
        }
        for qos in (0, 1):
            took: dict[str, list[float]] = {name: [] for name in endpoints}
            for _ in range(runs):
                for name, endpoint in endpoints.items():
                    took[name].append(await message_us(endpoint, messages, qos))
            for name, figures in took.items():
                found[name][f"qos_{qos}_us"] = statistics.median(figures)
    return found


async def connection_kib(endpoint: Endpoint, count: int) -> float:
    """By how much the broker's resident memory grows with an idle connection that has one subscription."""
    process = psutil.Process(endpoint.pid)
    async with _connected(endpoint, "warm", _WARM_UP):
        before = process.memory_info().rss
        async with _connected(endpoint, "idle", count):
            return (process.memory_info().rss - before) / count / 1024


@asynccontextmanager
async def _connected(endpoint: Endpoint, name: str, count: int) -> AsyncIterator[list[Client]]:
    open_stream = opener("localhost", endpoint.port, endpoint.context)
    clients = [
        device_client(f"{name}-{i}", open_stream, clean=True, timeout_ms=1000 * _DEADLINE_S)
        for i in range(count)
    ]
    try:
        for i in range(0, count, _AT_ONCE):
            await asyncio.gather(*(_join(client) for client in clients[i : i + _AT_ONCE]))
        yield clients
    finally:
        for client in clients:
            if client.connected:
                await client.disconnect()


async def _join(client: Client) -> None:
    await client.connect()
    await client.subscribe(f"cmd/{client.client_id}").acknowledged(None)


async def message_us(endpoint: Endpoint, count: int, qos: int) -> float:
    """Processor time, user and system, for a message from one client to another."""
    process = psutil.Process(endpoint.pid)
    async with _connected(endpoint, "message", 2) as (publisher, subscriber):
        messages = subscriber.subscribe(TOPIC, qos=qos, depth=count)
        await messages.acknowledged(None)
        await _pass(publisher, messages, _WARM_UP, qos)
        before = process.cpu_times()
        await _pass(publisher, messages, count, qos)
        after = process.cpu_times()
        return 1e6 * (after.user + after.system - before.user - before.system) / count


async def _pass(publisher: Client, messages: AsyncIterator[tuple[str, bytes]], count: int, qos: int) -> None:
    async with asyncio.timeout(_DEADLINE_S):
        sending = asyncio.create_task(publish_all(publisher, count, qos))
        try:
            for _ in range(count):
                await anext(messages)
        finally:
            await sending
