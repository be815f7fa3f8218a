"""Which process runs the device of a folder, so that another can set what is wired to it."""

import json
import os
import socket
from collections.abc import Iterable
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
        json.dump({"port": port, "mac": mac}, file)
    new.replace(path)


def forget(folder: Path) -> None:
    """Nobody runs it any more."""
    (folder / _FILE).unlink(missing_ok=True)


def set_wired(folder: Path, settings: Iterable[tuple[str, object]]) -> str:
    """Set what is wired to the device of `folder`, up to the first value that is refused.

    The answer is why it was, or empty. NotRunning where there is no such device.
    """
    try:
        place = json.loads((folder / _FILE).read_text())
        with socket.create_connection(("127.0.0.1", place["port"]), _ANSWER_S) as line:
            answers = line.makefile("r")
            _send(line, place["mac"])
            for setting in ([], *settings):  # none first: another program may have that port by now
                _send(line, ["set", setting])
                complaint = json.loads(answers.readline())
                if not isinstance(complaint, str):
                    raise NotRunning
                if complaint:
                    return complaint
    except (OSError, ValueError, KeyError, TypeError):
        raise NotRunning from None
    return ""


def _send(line: socket.socket, message: object) -> None:
    line.sendall(json.dumps(message).encode() + b"\n")
