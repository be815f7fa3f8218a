"""For tests of an application of one's own: a pytest plugin, `addopts = -p esp32_aws_iot.tools.testing`."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `tools` is, as installed

if TYPE_CHECKING:
    from tools.dev.scene import Scene

_SPEED = "5"  # how much faster a device's clock runs while it waits


def pytest_configure(config: pytest.Config) -> None:
    """The folder that is tested has the application."""
    os.environ.setdefault("IOT_APP", str(config.rootpath))
    os.environ.setdefault("SIM_SPEED", _SPEED)


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> "AsyncIterator[Scene]":
    """A simulated device with the application, which has reached its cloud; a failure shows its console."""
    from tools.dev.mistakes import Tracebacks  # noqa: PLC0415 - it is found only now
    from tools.dev.scene import Scene  # noqa: PLC0415

    tracebacks = Tracebacks(print, lambda: None)
    async with Scene(tmp_path, tracebacks.line) as scene:
        scene.device.install()
        await scene.start()
        await scene.device.expect(r"cloud: connected")
        yield scene
