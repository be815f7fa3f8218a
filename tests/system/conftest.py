"""One cloud and one world for each test, and no device that outlives it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.house import HOST, WIFI, House
from tools import umqtt
from tools.cloud import Cloud
from tools.cloud.ca import ServerChain
from tools.sim import World

SPEED = os.environ.get("SIM_SPEED", "5")


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices' clocks run fast, while they wait; `make test-slow` has them run as a board's."""
    monkeypatch.setenv("SIM_SPEED", SPEED)


@pytest.fixture(autouse=True, scope="session")
def umqtt_is_there() -> None:
    """Simulated chips have umqtt.simple, as images have."""
    umqtt.freeze()


@pytest.fixture
def server_chain() -> ServerChain:
    """What the cloud's server shows, unless a test's parameter of this name says otherwise."""
    return "p256"


@pytest.fixture
def messages() -> bool:
    """Whether the cloud tells of each message who has sent it; a module's fixture of this name may say so."""
    return False


@pytest.fixture
async def house(tmp_path: Path, server_chain: ServerChain, messages: bool) -> AsyncIterator[House]:
    hosts = ("localhost", HOST)
    async with (
        Cloud(
            tmp_path / "cloud", hosts=hosts, server_chain=server_chain, messages=messages, files_port=0
        ) as cloud,
        World({WIFI["ssid"]: WIFI["password"], "Open": ""}) as world,
    ):
        world.hosts[HOST] = ("127.0.0.1", cloud.port)
        house = House(tmp_path, cloud, world, os.environ.get("MICROPYTHON"), server_chain)
        try:
            yield house
        finally:
            for device in house.devices:
                await device.power_off()
