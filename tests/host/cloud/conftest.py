"""A running cloud for the tests of the broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.host.cloud.support import Bench, Clock, bench
from tools.cloud.ca import ServerChain


@pytest.fixture
def server_chain() -> ServerChain:
    """What the cloud's server shows, unless a test's parameter of this name says otherwise."""
    return "p256"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cloud(tmp_path: Path, server_chain: ServerChain) -> AsyncIterator[Bench]:
    async with bench(tmp_path, server_chain=server_chain) as running:
        yield running
