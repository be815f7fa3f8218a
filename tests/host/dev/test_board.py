"""The loop with a board on a port: only what has changed goes there, and its console comes back."""

import asyncio
from pathlib import Path

import pytest

from tests.host.board.fake_board import FakeBoard
from tests.host.board.packs import unpack
from tests.host.board.products import Product
from tests.patience import until
from tools.dev import board as module
from tools.dev.board import Board
from tools.sim.files import product as product_of


async def test_a_change_goes_to_the_board_and_its_console_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = Product(tmp_path, monkeypatch)
    monkeypatch.setattr(module, "here", lambda: product_of(product.folder))
    told: list[str] = []
    fake = FakeBoard(tmp_path / "board")
    with fake:
        board = Board(fake.port, lambda line: None, lambda text, style: told.append(text))
        first = product_of(product.folder)
        await board.deploy(product.packages, True, first)
        follow = asyncio.create_task(board.follow())
        await until(lambda: board._link is not None, "the console")
        before = fake.tree()["firmware.pack"]
        product.change("firmware/app.py", "CHANGED = 1\n")
        await board.bring(product_of(product.folder), {}, [])
        await until(lambda: board._link is not None, "the console again")
        after = fake.tree()["firmware.pack"]
        assert unpack(after)["firmware/app.mpy"] != unpack(before)["firmware/app.mpy"]
        assert unpack(after)["aioble/core.mpy"] == unpack(before)["aioble/core.mpy"]
        await board.bring(first, {}, [])  # taken back, whatever the disk has
        assert unpack(fake.tree()["firmware.pack"])["firmware/app.mpy"] == unpack(before)["firmware/app.mpy"]
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)
    sent = [int(text.split()[0]) for text in told if "bytes sent" in text]
    assert len(sent) == 2 and max(sent) < 4096
