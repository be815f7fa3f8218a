"""The lines of a console: kept, passed and waited for; a failure is told only where nothing was found."""

import asyncio
import re

import pytest

from tests.patience import PATIENCE_S
from tools import lines
from tools.lines import Lines


def test_lines_are_made_of_what_comes() -> None:
    heard: list[str] = []
    console = Lines("board", heard.append, keeps=lambda line: line != "not this")
    for data in (b"on", b"e\r\ntwo\nnot this\n\xff", b"\nthr", b"ee"):
        console.feed(data)
    assert console.lines == heard == ["one", "two", "\ufffd"] and console.tail == b"three"
    console.end()
    console.end()
    assert console.lines[3:] == ["three"] and console.tail == b""


def test_what_has_no_end_is_cut() -> None:
    console = Lines("board")
    for _ in range(3):
        console.feed(5000 * b"x")
    assert [len(line) for line in console.lines] == [10_000] and len(console.tail) == 5000


def test_the_oldest_go_and_what_was_passed_stays_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_HISTORY_LINES", 20)
    console = Lines("board")
    number = re.compile(r"\d+")
    found = []
    for n in range(50):
        console.feed(b"%d\n" % n)
        if n % 2:
            while match := console.find(number):
                found.append(int(match[0]))
    assert found == list(range(50)) and len(console.lines) <= 20 and console.lines[-1] == "49"


async def test_what_is_found_counts_more_than_a_failure_that_came_behind() -> None:
    console = Lines("board")
    failures: list[Exception] = []
    waiting = asyncio.create_task(
        console.expect("^answer$", PATIENCE_S, lambda: failures[0] if failures else None)
    )
    await asyncio.sleep(0)
    console.feed(b"answer\n")
    failures.append(OSError("the port is gone"))
    console.tell()
    assert (await waiting).string == "answer"
    with pytest.raises(OSError, match="gone"):
        await console.expect("^answer$", PATIENCE_S, lambda: failures[0])


async def test_in_vain_is_told_with_the_last_lines() -> None:
    console = Lines("board")
    console.feed(b"first\nlast\n")
    with pytest.raises(TimeoutError) as raised:
        await console.expect("never", 0.01)
    assert str(raised.value) == "board: no line with 'never' within 0.01 s; last lines:\nfirst\nlast"
