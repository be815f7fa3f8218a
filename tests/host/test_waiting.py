"""What waits says so: after 20 s, ever more rarely, and never where nothing is waited for."""

import io
import re
import time

import pytest
from rich.console import Console

from tests.patience import block_until, until
from tools import timeline, waiting
from tools.board import progress

SILENCE_S = 0.2


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SILENCE_S", SILENCE_S)


def test_it_speaks_again_and_again_while_a_call_blocks() -> None:
    said: list[str] = []
    with waiting.Waiting("waiting for the board", said.append):
        block_until(lambda: len(said) == 3)
    assert all(line.startswith("… waiting for the board, for ") for line in said)


def test_ever_more_rarely() -> None:
    said: list[str] = []
    begin_s = time.monotonic()
    with waiting.Waiting("it", said.append):
        block_until(lambda: len(said) == 4)
    assert time.monotonic() - begin_s >= (1 + 1 + 2 + 4) * SILENCE_S * 0.99


def test_what_happens_begins_the_wait_anew() -> None:
    said: list[str] = []
    with waiting.Waiting("first", said.append) as wait:
        block_until(lambda: said)
        wait.now("second")
        block_until(lambda: "second" in said[-1])
        wait.now("")
        count = len(said)
        time.sleep(5 * SILENCE_S)
        assert len(said) == count


def test_progress_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    seen = ""

    def told(what: str) -> bool:
        nonlocal seen
        seen += capsys.readouterr().err
        return what in seen

    with progress.bar() as show:
        show("getting packages", 0, 0)
        block_until(lambda: told("… getting packages, for "))
        show("starting", 0, 0)
        block_until(lambda: told("… starting, for "))
    with progress.status("The board connects to its cloud"):
        block_until(lambda: told("… The board connects to its cloud, for "))


async def test_a_timeline_that_nobody_adds_to() -> None:
    shown = io.StringIO()
    line = timeline.Timeline(Console(file=shown, width=200))
    with line.telling_silence(lambda: "esp32-1 said last: mode CONFIG"):
        await until(lambda: len(shown.getvalue().splitlines()) >= 3)
        line.say("esp32-1", "system", "mode NORMAL")
        await until(lambda: len(shown.getvalue().splitlines()) >= 5)
    before, _, after = shown.getvalue().partition("mode NORMAL")
    for part in (before, after):
        assert re.search(r"(?m) s +… nothing, for \d+ s: esp32-1 said last: mode CONFIG$", part)


def test_answers_are_shown_to_who_typed() -> None:
    shown = io.StringIO()
    line = timeline.Timeline(Console(file=shown, width=200))
    line.device_line("esp32-1", "= ok 1")  # asked by a program
    line.typed("esp32-1", "mode")
    line.device_line("esp32-2", "= ok 2")
    line.device_line("esp32-1", "= ok NORMAL")
    line.device_line("esp32-1", "= ok 3")
    assert re.findall(r"console +(.*)", shown.getvalue()) == ["> mode", "= ok NORMAL"]
