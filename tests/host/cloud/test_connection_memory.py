"""A thousand devices fit into a laptop: what `make bench` measures of a connection's memory has a bound."""

from pathlib import Path

from tools.bench import broker, load

_BOUND_KIB = 80  # asyncio's own buffer for a TLS connection alone has 256


async def test_an_idle_connection_takes_at_most_80_kib(tmp_path: Path) -> None:
    async with broker.start_cloud(tmp_path) as endpoint:
        assert await load.connection_kib(endpoint, 100) <= _BOUND_KIB
