"""The console of a device that measures its memory, and of one that has none to spare for a moment."""

import asyncio

import pytest

from tests.host.board.support import wired
from tests.patience import PATIENCE_S
from tools.board import link as module
from tools.board.errors import BoardError
from tools.board.link import Link

MEM_INFO = (
    b"stack: 736 out of 15360\r\nGC: total: 92000, used: 61344, free: 30656, max new split: 30720\r\n"
    b" No. of 1-blocks: 914, 2-blocks: 201, max blk sz: 257, max free sz: 402\r\n"
)
LOG = b"     1.000 I app: hello\r\n"
MOMENT = b"     1.000 I console: connecting, a moment\r\n"


@pytest.mark.parametrize("command", ["status", "wifi"])
async def test_what_is_printed_to_measure_memory_is_not_shown(command: str) -> None:
    async with wired(lambda data: wire.write(LOG + MEM_INFO + LOG + b"= ok {}\r\n")) as wire:
        seen: list[str] = []
        async with Link(wire.port, seen.append) as link:
            assert (await link.ask(command)).text == "{}"
    assert seen == link.lines == [LOG.decode().strip("\r\n")] * 2 + ["= ok {}"]


async def test_elsewhere_it_is_shown() -> None:
    """An application may print it, too."""
    async with wired(lambda data: wire.write(MEM_INFO + b"= ok NORMAL\r\n" + MEM_INFO)) as wire:
        seen: list[str] = []
        async with Link(wire.port, seen.append) as link:
            await link.ask("mode")
            await link.expect("max free sz: 402$")
    assert len(seen) == 7


async def test_a_device_that_connects_gets_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CONNECTING_S", 10.0)
    async with wired(lambda data: wire.write(MOMENT)) as wire, Link(wire.port) as link:
        asking = asyncio.create_task(link.ask("mode", timeout_s=1.0))
        while not link.lines:
            await asyncio.sleep(0.01)
        await asyncio.sleep(1.2)
        wire.write(b"= ok NORMAL\r\n")
        assert (await asking).text == "NORMAL"


async def test_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CONNECTING_S", 0.2)
    async with wired(lambda data: wire.write(MOMENT)) as wire, Link(wire.port) as link:
        with pytest.raises(BoardError, match="the board's firmware runs, but does not answer"):
            async with asyncio.timeout(PATIENCE_S):
                await link.ask("mode", timeout_s=1.0)


async def test_nor_where_it_restarts_meanwhile() -> None:
    restarting = MOMENT + b"     2.000 I system: restarting: provisioned\r\n"
    async with wired(lambda data: wire.write(restarting)) as wire, Link(wire.port) as link:
        with pytest.raises(BoardError, match="the board restarted before it could answer"):
            await link.ask("mode")
