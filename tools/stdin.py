"""The lines of standard input, as they are typed."""

import asyncio
import contextlib
import os
import select
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError

_LOOK_S = 0.2


async def lines() -> AsyncIterator[str]:
    """The lines of standard input, whatever it is: a pipe, a file, a terminal."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes] = asyncio.Queue(1)

    def read() -> None:
        data = b"\n"
        with contextlib.suppress(RuntimeError, CancelledError):  # the loop has ended, nobody wants more
            while data:
                try:
                    data = os.read(stdin, 4096)
                except OSError:  # the terminal is gone, or another program has it
                    data = b""
                asyncio.run_coroutine_threadsafe(pieces.put(data), loop).result()

    stdin = sys.stdin.fileno()  # sys.stdin itself would keep a lock while it waits
    threading.Thread(target=read, daemon=True).start()  # a read cannot be cancelled
    rest = b""
    while data := await pieces.get():
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")


def answer() -> str:
    """What a person at the terminal types after a question: a line with its end, "" at the end of input.

    Ctrl-C ends it at any moment. A read alone would not: one that comes just before the read begins is noted,
    but wakes nobody until the next key.
    """
    while os.name != "nt" and not select.select([sys.stdin], [], [], _LOOK_S)[0]:
        pass  # Windows selects sockets only
    return sys.stdin.readline()


def is_ours() -> bool:
    """Whether it may be read: who reads from a terminal in the background is stopped."""
    try:
        return not sys.stdin.isatty() or os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):  # it is closed
        return False
