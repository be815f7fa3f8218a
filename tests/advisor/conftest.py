"""One cloud that misbehaves as Device Advisor does, and one world, for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.advisor.advisor import Advisor
from tests.advisor.wire import wire
from tests.system.house import HOST, WIFI
from tools.cloud import Cloud
from tools.cloud.ca import ServerChain
from tools.sim import World

# Much faster than in other system tests, in `make test-slow` too: what is judged here are pauses of a minute,
# and one of half an hour.
SPEED = "150"


@pytest.fixture
def server_chain() -> ServerChain:
    """What the cloud's server shows, unless a test's parameter of this name says otherwise."""
    return "p256"


@pytest.fixture
def hosts() -> tuple[str, ...]:
    """For whom its certificate is."""
    return "localhost", HOST


@pytest.fixture
async def advisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server_chain: ServerChain, hosts: tuple[str, ...]
) -> AsyncIterator[Advisor]:
    monkeypatch.setenv("SIM_SPEED", SPEED)
    async with (
        Cloud(tmp_path / "cloud", hosts=hosts, server_chain=server_chain) as cloud,
        wire(cloud.port) as between,
        World({WIFI["ssid"]: WIFI["password"]}) as world,
    ):
        # On CPython alone: elsewhere the clock has the host's speed.
        advisor = Advisor(tmp_path, cloud, world, None, server_chain, wire=between)
        try:
            async with advisor.other:
                yield advisor
        finally:
            for device in advisor.devices:
                await device.power_off()
