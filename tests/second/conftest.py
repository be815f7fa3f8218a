"""Two clouds: the local one, and one that nobody here wrote. Each runs once for all tests of a process."""

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.peers.cloud_thread import CloudThread
from tests.second.aws import Aws
from tests.second.ministack import ministack
from tests.system.house import HOST, WIFI, Site
from tools.sim import World

_numbers = itertools.count(1)
CLOUDS = ("local", "ministack")
ROLE = "arn:aws:iam::123456789012:role/provisioning"


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    options = {"hosts": ("localhost", HOST), "rest_port": 0, "files_port": 0}
    with CloudThread(tmp_path_factory.mktemp("local"), **options) as running:
        url = running.call(lambda it: it.rest_url)
        yield Aws("local", url, running.port, running.root_ca.read_text(), "p256", ROLE)


@pytest.fixture(scope="session")
def another(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with ministack(tmp_path_factory.mktemp("ministack"), HOST) as running:
        yield running


@pytest.fixture(params=CLOUDS)
def aws(request: pytest.FixtureRequest) -> Aws:
    """Each of them in turn; the other is not started for it."""
    return request.getfixturevalue({"local": "local", "ministack": "another"}[request.param])


@pytest.fixture
async def site(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setenv("SIM_SPEED", os.environ.get("SIM_SPEED", "5"))
    async with World({WIFI["ssid"]: WIFI["password"]}) as world:
        world.hosts[HOST] = ("127.0.0.1", aws.port)
        site = Site(
            tmp_path, aws, world, os.environ.get("MICROPYTHON"), aws.server_chain, first=next(_numbers)
        )
        try:
            yield site
        finally:
            for device in site.devices:
                await device.power_off()
