"""A simulated board on a serial port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.host.board.support import WIFI, Board, simulated
from tools.sim import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World({WIFI["ssid"]: WIFI["password"]}) as world:
        yield world


@pytest.fixture
async def board(tmp_path: Path, world: World) -> AsyncIterator[Board]:
    """A board in CONFIG mode."""
    async with simulated(tmp_path / "board", world) as board:
        await board.device.power_on()
        await board.device.expect(r"system: mode CONFIG")
        yield board
