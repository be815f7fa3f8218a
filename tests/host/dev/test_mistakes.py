"""Tracebacks with the lines of this checkout's files."""

from tools.board.files import ROOT
from tools.dev.mistakes import Tracebacks, with_source

APP = (ROOT / "firmware/app.py").read_text("utf-8").splitlines()
LINE = next(number for number, text in enumerate(APP, 1) if "led = Pin(" in text)


def shown(*lines: str) -> tuple[list[str], int]:
    """What is shown of a console's lines, and how many tracebacks began."""
    told: list[str] = []
    begun: list[None] = []
    tracebacks = Tracebacks(told.append, lambda: begun.append(None))
    for line in lines:
        tracebacks.line(line)
    return told, len(begun)


def test_a_chips_traceback_shows_the_source() -> None:
    told, begun = shown(
        "     1.000 E application: failed, will start again: ZeroDivisionError",
        "Traceback (most recent call last):",
        '  File "iot.application", line 1, in _3',
        f'  File "/pack/firmware/app.mpy", line {LINE}, in main',
        "ZeroDivisionError: divide by zero",
    )
    assert begun == 1
    assert told[2].startswith('  File "lib/iot/application.py", line 1, in ')
    assert told[3:] == [
        f'  File "firmware/app.py", line {LINE}, in main',
        f"    {APP[LINE - 1].strip()}",
        "ZeroDivisionError: divide by zero",
    ]


def test_a_line_is_shown_once_where_cpython_shows_it_too() -> None:
    told, _ = shown(
        f'  File "/firmware/app.py", line {LINE}, in main',
        f"    {APP[LINE - 1].strip()}",
        "          ^^^~~^^^",
        "OSError: 5",
    )
    text = APP[LINE - 1].strip()
    assert told == [f'  File "firmware/app.py", line {LINE}, in main', f"    {text}", "OSError: 5"]


def test_lines_of_other_files_and_lines_that_are_not_there_stay() -> None:
    for line in ('  File "<stdin>", line 1', '  File "/lib/aioble/core.py", line 7, in f', "a line"):
        assert with_source(line) == line
    assert with_source('File "/firmware/app.py", line 99999') == 'File "firmware/app.py", line 99999'
