"""What `make bench` measures of brokers: a connection of the cloud has a bound, a laptop holds a thousand."""

import io
from pathlib import Path

from rich.console import Console

from tools.bench import broker, cli, load, mosquitto

_BOUND_KIB = 80  # asyncio's own buffer for a TLS connection alone has 256


async def test_an_idle_connection_takes_at_most_80_kib(tmp_path: Path) -> None:
    async with broker.start_cloud(tmp_path) as endpoint:
        assert await load.connection_kib(endpoint, 100) <= _BOUND_KIB


async def test_bench_shows_the_cloud_beside_mosquitto(tmp_path: Path) -> None:
    brokers = await load.measure(tmp_path, connections=20, messages=2000, runs=1)
    assert set(brokers) == ({"cloud", "mosquitto"} if mosquitto.find() else {"cloud"})
    assert all(cost > 0 for cost in brokers["cloud"].values())
    shown = io.StringIO()
    Console(file=shown, width=120).print(cli.table_of_brokers({"brokers": brokers}))
    for figures in brokers.values():
        assert f" {figures['connection_kib']:.0f} KiB " in shown.getvalue()
        assert all(f" {figures[f'qos_{qos}_us']:.0f} µs " in shown.getvalue() for qos in (0, 1))
