"""What is typed comes line by line, as it is: at MicroPython's prompt blanks and empty lines count."""

import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_S

PROGRAM = """
import asyncio
from tools.stdin import lines

async def main():
    print([line async for line in lines()])

asyncio.run(main())
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
