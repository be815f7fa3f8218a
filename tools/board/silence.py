"""Why a board does not answer, and what to do."""

import re

from .errors import BoardError

# What is in the text of a board that does not answer, most telling first; what it means; what to do.
_SILENCES = (
    (
        r"\A\s*\Z",
        "the board says nothing",
        "Is it the right port, has the board power, had it a few seconds to start? Press its reset button "
        "and try again. "
        "A board without MicroPython is flashed first: python3 -m tools flash {port} IMAGE",
    ),
    (
        r"waiting for download",
        "the board waits for a download: its BOOT button was down when it started",
        "Press its reset button alone, and try again.",
    ),
    (
        r"invalid header|flash read err",
        "the board has no MicroPython",
        "Flash an image first: python3 -m tools flash {port} IMAGE",
    ),
    (
        r"(?m)^>>>|^MicroPython v",
        "the board is at MicroPython's prompt: its program was stopped, or there is none",
        "Restart it with its reset button; if it has no firmware yet: python3 -m tools deploy {port}",
    ),
    (
        "(\ufffd.{0,3}){8}",
        "what the board says cannot be read",
        "It speaks at another speed than 115200 baud, so it runs another program: "
        "python3 -m tools flash {port} IMAGE, then python3 -m tools deploy {port}",
    ),
    (
        r"entry 0x[0-9a-f]+\s*\Z",
        "the board has only started",
        "Wait a few seconds, and try again.",
    ),
    (
        r"(?m)^ *\d+\.\d{3} [EWID] \S+: |^= (ok|error)\b",
        "the board's firmware runs, but does not answer",
        "Press its reset button, and try again. If it stays so: python3 -m tools deploy {port}",
    ),
    (
        "",
        "the board runs something else: it speaks, but does not answer",
        "Put the firmware on it: python3 -m tools deploy {port}",
    ),
)


def explain_silence(port: str, text: str) -> BoardError:
    """The most likely reason, by the `text` that the board sent instead of an answer."""
    what, remedy = next((what, remedy) for pattern, what, remedy in _SILENCES if re.search(pattern, text))
    return BoardError(f"{port}: {what}", remedy.format(port=port))
