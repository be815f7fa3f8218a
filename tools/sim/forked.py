"""A simulated device's process on CPython, forked from one that has imported what each of them needs."""

import asyncio
import atexit
import contextlib
import dataclasses
import io
import marshal
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tools.sim.cpython.forks import LENGTH

AVAILABLE = sys.platform == "linux"  # elsewhere there is no fork, or none that is safe
_servers: list[tuple[subprocess.Popen[bytes], socket.socket]] = []  # the one there is


@dataclasses.dataclass
class Forked:
    """As much of asyncio's Process as `Device` needs."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    end: asyncio.StreamReader
    signals: asyncio.StreamWriter

    def kill(self) -> None:
        """End it, if it has not ended."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        if not self.end.at_eof():
            self.signals.write(bytes((number,)))

    async def wait(self) -> None:
        """Wait for its end."""
        with contextlib.suppress(ConnectionError):
            await self.end.read()
        self.stdin.close()
        self.signals.close()


async def start(start_py: Path, arguments: list[str], folder: Path, environment: dict[str, str]) -> Forked:
    """Fork a process that runs `start_py` with these arguments, in `folder`, in a session of its own.

    It ends with the caller's process, if not before. What the interpreter takes from the environment when it
    starts itself (PYTHONHASHSEED, …) is from the first call's.
    """
    server = _server(start_py, environment)
    request = marshal.dumps((arguments, str(folder), environment))
    typed, stdin = socket.socketpair()
    stdout, printed = _pipe()
    line, far = socket.socketpair()
    with contextlib.ExitStack() as undo:  # which ends the process, too
        for end in (typed, stdout, line):
            undo.callback(end.close)
        with stdin, printed, far:
            fds = [stdin.fileno(), printed.fileno(), far.fileno()]
            socket.send_fds(server, [LENGTH.pack(len(request))], fds)
            server.sendall(request)
        _, writer = await asyncio.open_connection(sock=typed)
        undo.callback(writer.close)
        ended, signals = await asyncio.open_connection(sock=line)
        undo.callback(signals.close)
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, stdout)
        undo.pop_all()
    return Forked(writer, reader, ended, signals)


def _pipe() -> tuple[io.FileIO, io.FileIO]:
    reading, writing = os.pipe()
    return io.FileIO(reading), io.FileIO(writing, "w")


def _server(start_py: Path, environment: dict[str, str]) -> socket.socket:
    """A socket to the process that forks, which is started where it does not run."""
    if _servers and _servers[0][0].poll() is None:
        return _servers[0][1]
    _stop()
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-u", start_py],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            umask=0o077,  # keys and passwords are in what devices write
            env=environment,
            start_new_session=True,  # a Ctrl-C is for the launcher
        )
    _servers.append((process, ours))
    return ours


@atexit.register
def _stop() -> None:
    while _servers:
        process, requests = _servers.pop()
        requests.close()
        process.wait()
