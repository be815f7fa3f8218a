"""What is typed comes line by line, as it is: at MicroPython's prompt blanks and empty lines count."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

PROGRAM = """
import asyncio
from tools.stdin import lines

async def main():
    print([line async for line in lines()])

asyncio.run(main())
"""

# A signal that another thread takes leaves this one's read asleep, as one that comes just before a read does.
ASKS = """
import signal, sys, threading, time
from tools.stdin import answer

threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
try:
    print("asks", flush=True)
    print(repr(answer()))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_lines_come_as_they_were_typed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).parents[2],
        input=b"if True:\r\n    print(1)\n\n\xffgr\xc3\xbcn\nlast",
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout.decode().strip() == str(["if True:", "    print(1)", "", "\ufffdgrün", "last"])


@pytest.mark.parametrize(("typed", "said"), [(b"yes\n", "'yes\\n'"), (b"", "''"), (None, "interrupted")])
def test_an_answer_comes_and_ctrl_c_ends_the_wait(typed: bytes | None, said: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ASKS],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout
        try:
            assert process.stdout.readline() == b"asks\n"
            if typed is None:
                os.kill(process.pid, signal.SIGINT)
            else:
                process.stdin.write(typed)
                process.stdin.close()
            process.wait(PATIENCE_S)
        finally:
            process.kill()
        assert process.stdout.read().decode().strip() == said
