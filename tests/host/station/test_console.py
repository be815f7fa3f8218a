"""A device's own word over its console: what goes on its label, and that it has taken its configuration."""

import pytest
from documents import claim

from firmware import settings
from tests.host.board.conftest import board, world  # noqa: F401 (fixtures)
from tests.host.board.support import Board
from tools.board.errors import BoardError
from tools.station.console import ask, hand_over


async def test_what_it_tells_and_takes(board: Board) -> None:  # noqa: F811
    told = await ask(board.port)
    assert (told.name, told.version) == ("esp32-240ac4000001", settings.VERSION)
    assert len(told.code) == len("ABCD-EFGH-JKMN")
    steps: list[str] = []
    with pytest.raises(BoardError, match="refuses the configuration: aws: missing"):
        await hand_over(board.port, {"wifi": "none"}, lambda what, done, total: None)
    await hand_over(board.port, claim(), lambda what, done, total: steps.append(what))
    assert set(steps) == {"configuring"}
    assert (await ask(board.port)).code == told.code
