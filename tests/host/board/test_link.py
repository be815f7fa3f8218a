"""The conversation with a board's console: a simulated device, and what is none, over every kind of port."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.board.support import Board, NetworkPort, wired
from tests.patience import PATIENCE_S
from tools.board.errors import BoardError
from tools.board.link import Answer, Link, parse_answer
from tools.board.silence import explain_silence

pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's rfc2217


@contextlib.contextmanager
def reached(board: Board, scheme: str) -> Iterator[str]:
    """The board's port by this kind of name."""
    if scheme:
        with NetworkPort(board.port, scheme) as far:
            yield far.name
    else:
        yield board.port


@pytest.mark.parametrize("scheme", ["", "socket", "rfc2217"])
async def test_commands_and_log(board: Board, scheme: str) -> None:
    seen: list[str] = []
    with reached(board, scheme) as port:
        async with Link(port, seen.append) as link:
            status = await link.ask("status")
            assert status.ok and status.value["mode"] == "CONFIG"
            refused = await link.ask("nonsense")
            assert not refused.ok and refused.text.startswith("no such command")
            await link.send("restart")
            await link.expect(r"^= ok")
            await link.expect(r"system: restarting: ")
            assert (await link.expect(r"system: mode (\w+)"))[
                1
            ] == "CONFIG"  # the board restarted, the link stays
            assert (await link.ask("status")).ok
            assert seen == link.lines


async def test_each_who_asks_gets_the_answer_to_his_question(board: Board) -> None:
    async with Link(board.port) as link:
        answers = await asyncio.gather(*(link.ask(line) for line in ("help", "status", "nonsense") * 5))
    assert [answer.text[:8] for answer in answers] == ["help | s", '{"mode":', "no such "] * 5


async def test_a_pattern_that_does_not_come(board: Board) -> None:
    async with Link(board.port) as link:
        await link.ask("help")
        with pytest.raises(
            TimeoutError, match=r"(?s)no line with 'never' within 0.1 s; last lines:\n.*= ok help"
        ):
            await link.expect("never", 0.1)


async def test_leaving_does_not_disturb_the_board(board: Board) -> None:
    for _ in range(3):
        async with Link(board.port) as link:
            assert (await link.ask("status")).ok
    assert board.device.chip.boots == 1


async def test_a_cable_that_is_pulled(board: Board) -> None:
    async with Link(board.port) as link:
        await link.ask("status")
        waits = [link.gone(), link.expect("never"), link.ask("status", timeout_s=PATIENCE_S)]
        board.wire.on_data = lambda data: board.wire.pull()  # amid the question
        async with asyncio.timeout(PATIENCE_S):
            for error in await asyncio.gather(*waits, return_exceptions=True):
                assert isinstance(error, BoardError)
                assert error.text == f"{board.port}: the connection to the board is gone"
                assert "cable" in error.remedy
        with pytest.raises(BoardError, match="gone"):
            await link.send("status")


async def test_who_waits_for_a_port_that_vanished_finds_no_other_board_s(board: Board) -> None:
    board.wire.pull()
    assert not Path(board.port).exists()
    async with wired() as other:
        assert other.port != board.port


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
async def test_a_host_that_hangs_up(board: Board, scheme: str) -> None:
    with NetworkPort(board.port, scheme) as far:
        async with Link(far.name) as link:
            await link.ask("status")
            far.hang_up()
            with pytest.raises(BoardError, match="the connection to the board is gone"):
                async with asyncio.timeout(PATIENCE_S):
                    await link.gone()


async def test_lines_come_in_pieces_and_any_bytes() -> None:
    async with wired() as wire, Link(wire.port) as link:
        for piece in (b"   1.0", b"00 I app: caf\xc3", b"\xa9\r\n\xff\xfe\n", b"x" * 20_000, b"\r\nlast\n"):
            wire.write(piece)
            await asyncio.sleep(0.01)
        await link.expect("^last$")
    assert link.lines[:2] == ["   1.000 I app: café", "\ufffd\ufffd"]
    assert "".join(link.lines[2:-1]).count("x") == 20_000


async def test_the_history_is_bounded() -> None:
    async with wired() as wire, Link(wire.port) as link:
        for number in range(0, 22_000, 100):
            wire.write(b"".join(b"%d\n" % count for count in range(number, number + 100)))
            await link.expect(f"^{number + 99}$")
    assert len(link.lines) <= 20_000 and link.lines[-1] == "21999"


async def test_a_program_is_interrupted() -> None:
    def repl(data: bytes) -> None:
        if b"\x03\x03" in data:
            wire.write(
                b"Traceback (most recent call last):\r\nKeyboardInterrupt: \r\nMicroPython v1.25.0\r\n>>> "
            )

    async with wired(repl) as wire, Link(wire.port) as link:
        await link.interrupt()
        assert link.lines[1] == "KeyboardInterrupt: "
        with pytest.raises(BoardError, match="at MicroPython's prompt"):
            await link.ask("status", timeout_s=0.2)


@pytest.mark.parametrize(
    ("said", "what", "remedy"),
    [
        ("", "the board says nothing", "power"),
        ("rst:0x1 (POWERON_RESET),boot:0x3\nwaiting for download\n", "waits for a download", "reset button"),
        (
            "rst:0x10\ninvalid header: 0xffffffff\ninvalid header: 0xffffffff\n",
            "no MicroPython",
            "tools flash P IMAGE",
        ),
        (
            ">>> status\nTraceback\nNameError: name 'status' isn't defined\n>>> ",
            "MicroPython's prompt",
            "tools deploy P",
        ),
        ("\ufffd\ufffd~\ufffd\ufffd\ufffd\ufffd|\ufffd\ufffd\n", "cannot be read", "115200"),
        ("load:0x40080400,len:4100\nentry 0x40080610\n", "has only started", "Wait"),
        ("= ok 128\n", "runs, but does not answer", "reset button"),
        ("    12.345 I app: telemetry 1\n", "runs, but does not answer", "reset button"),
        ("Hello from Arduino\n", "runs something else", "tools deploy P"),
    ],
)
def test_what_a_silence_means(said: str, what: str, remedy: str) -> None:
    error = explain_silence("P", said)
    assert error.text.startswith("P: ") and what in error.text
    assert remedy in error.remedy


async def test_a_board_that_says_nothing() -> None:
    async with wired() as wire, Link(wire.port) as link:
        with pytest.raises(BoardError, match="says nothing"):
            await link.ask("status", timeout_s=0.2)


def test_answers() -> None:
    assert parse_answer('= ok {"a": 1}') == Answer(True, '{"a": 1}')
    assert Answer(True, '{"a": [1]}').value == {"a": [1]}
    assert Answer(True, "12").value is None and Answer(True, "{").value is None
    assert parse_answer("= error no such command") == Answer(False, "no such command")
    assert parse_answer("= ok") == Answer(True, "")
    assert str(parse_answer("= error a b")) == "error a b"
    for line in ("= okay", "  = ok", "ok", "   1.000 I app: = ok"):
        assert parse_answer(line) is None
