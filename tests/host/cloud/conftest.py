"""A running cloud for the tests of the broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.host.cloud.support import Bench, bench


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as running:
        yield running
