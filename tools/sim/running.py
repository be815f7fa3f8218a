"""Which process runs the device of a folder, so that another can set what is wired to it."""

import contextlib
import json
import os
import socket
from pathlib import Path

_FILE = "world.json"  # beside the flash: the world's port, and the chip's address in it
_ANSWER_S = 10.0


class NotRunning(Exception):
    """No process runs that device."""


def tell(folder: Path, port: int, mac: str) -> None:
    """Leave word in `folder` of who runs its device."""
    path = folder / _FILE
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"port": port, "mac": mac, "process": os.getpid()}, file)
    new.replace(path)


def forget(folder: Path) -> None:
    """Nobody runs it any more."""
    (folder / _FILE).unlink(missing_ok=True)


class Running:
    """A line to the world in which the device of `folder` runs; NotRunning where there is none."""

    def __init__(self, folder: Path) -> None:
        try:
            place = json.loads((folder / _FILE).read_text())
            self._line = socket.create_connection(("127.0.0.1", place["port"]), _ANSWER_S)
        except (OSError, ValueError, KeyError, TypeError):
            raise NotRunning from None
        self._answers = self._line.makefile("r")
        self._send(place["mac"])
        self._ask([])  # another program may have that port by now

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._line.close()

    def set(self, name: str, value: object) -> str:
        """Set what is wired there; the answer is why not."""
        return self._ask([name, value])

    def _ask(self, arguments: list[object]) -> str:
        try:
            self._send(["set", arguments])
            answer = json.loads(self._answers.readline())
        except (OSError, ValueError):
            self.close()
            raise NotRunning from None
        if not isinstance(answer, str):
            raise NotRunning
        return answer

    def _send(self, message: object) -> None:
        self._line.sendall(json.dumps(message).encode() + b"\n")
