"""Serial ports, near and far: opened without a reset of the board, or refused with what to do about it."""

import contextlib
import errno
import os
import re
import stat
import sys
import time
import urllib.parse

import serial
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from .errors import BoardError

PORT_HELP = (
    "/dev/tty…, COM3, socket://HOST:PORT, rfc2217://HOST:PORT; default: that of the only board plugged in"
)
BAUDRATE = 115200  # MicroPython's on the ESP32
# Who makes the USB side of boards: Espressif (S3, C3 …), Silicon Labs (CP210x), WCH (CH34x), FTDI, Prolific.
BOARDS = (0x303A, 0x10C4, 0x1A86, 0x0403, 0x067B)
_READ_S = 0.1
_WRITE_S = 5.0
_BUSY_S = 1.0
_REMOTE = ("socket", "rfc2217")
_BUSY = (errno.EBUSY, errno.EAGAIN)  # opened exclusively (TIOCEXCL), or locked (flock)
_NO_PORT = (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ENOTDIR)
_NO_SERIAL = (errno.ENOTTY, errno.EISDIR, errno.EINVAL, errno.EIO)


def open_port(port: str, baudrate: int = BAUDRATE) -> serial.Serial:
    """Open a port for this program alone, where the system can do that; the board runs on.

    Args:
        port: /dev/tty…, COM3, a pseudo-terminal, socket://HOST:PORT, or rfc2217://HOST:PORT.
        baudrate: bits per second; a socket has none.

    Raises:
        BoardError: it cannot be opened.
    """
    scheme = _scheme(port)
    # What waits forever would outlive its user; for rfc2217 pyserial has no deadline of its own.
    write_timeout = None if scheme == "rfc2217" else _WRITE_S
    try:
        device = serial.serial_for_url(
            port, baudrate, do_not_open=True, exclusive=True, timeout=_READ_S, write_timeout=write_timeout
        )
        _open_patiently(device)
    except (OSError, ValueError) as error:
        raise explain(port, scheme, error) from None
    return device


def _open_patiently(device: serial.Serial) -> None:
    """Open it, a moment later where it is in use: what a thread of ours starts has it until it runs."""
    end_s = time.monotonic() + _BUSY_S
    while True:
        try:
            return _open_without_reset(device)
        except (OSError, ValueError) as error:
            if _number(_cause(error)) not in _BUSY or time.monotonic() >= end_s:
                raise
        time.sleep(_READ_S)


def close_port(device: serial.Serial) -> None:
    """Close it, without a reset here, too."""
    if os.name == "nt":
        with contextlib.suppress(OSError):
            device.rts = False  # before DTR: RTS alone is the reset
            device.dtr = False
    with contextlib.suppress(OSError):  # the cable may be gone
        device.close()


def _open_without_reset(device: serial.Serial) -> None:
    """Never have RTS without DTR, which holds a board's EN low.

    Unix raises both at once when it opens a port, and pyserial leaves them so (lowering them would take two
    steps, the first of them a reset). Windows' drivers raise them at different times.
    """
    if os.name == "nt":
        device.dtr = device.rts = False
        device.open()
        device.dtr = True
        device.rts = True
    else:
        device.open()


def _scheme(port: str) -> str:
    """ "socket", "rfc2217", or "" for a port of this machine; BoardError for any other URL."""
    scheme, separator, _ = port.partition("://")
    if not separator:
        return ""
    try:
        parts = urllib.parse.urlsplit(port)
        whole = scheme in _REMOTE and parts.hostname and parts.port
    except ValueError:  # the port is no number
        whole = False
    if not whole:
        raise BoardError(f"{port}: no such kind of port", "Use socket://HOST:PORT or rfc2217://HOST:PORT.")
    return scheme


def explain(port: str, scheme: str, error: Exception) -> BoardError:
    """What pyserial says, in words that help."""
    cause = _cause(error)
    reason = getattr(cause, "strerror", None) or str(cause)
    if scheme:
        return BoardError(
            f"{port}: {reason}",
            "See that the program which offers the board's port runs there, and has no other client.",
        )
    number = _number(cause)
    if number in _BUSY:
        holder = "" if os.name == "nt" else f" (fuser {port} names it)"
        return BoardError(
            f"{port}: in use by another program",
            f"Close what has it open{holder}: another console, a serial monitor, mpremote, an IDE.",
        )
    if number in (errno.EACCES, errno.EPERM):
        return BoardError(f"{port}: no permission to open it", _permission(port))
    if number in _NO_PORT:
        reason = "no such port"
    elif number in _NO_SERIAL:
        reason = "no serial port"
    return BoardError(f"{port}: {reason}", ports_there_are())


def _cause(error: BaseException) -> BaseException:
    """The system's own error: pyserial wraps it, mostly without its number."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _number(cause: BaseException) -> int | None:
    """The errno, also of termios.error, which is no OSError.

    Of Windows' errors pyserial keeps the text alone, and "access denied" means in use there.
    """
    if "PermissionError" in str(cause):
        return errno.EBUSY
    if "FileNotFoundError" in str(cause):
        return errno.ENOENT
    return (
        cause.args[0] if cause.args and isinstance(cause.args[0], int) else None
    )  # termios.error is no OSError


def chosen_port(port: str | None) -> str:
    """The port itself; where none is given, that of the only board which is plugged in.

    Raises:
        BoardError: there is none, or more than one.
    """
    if port:
        return port
    boards = [found for found in _found() if found.vid in BOARDS]
    if not boards:
        raise BoardError("no board is plugged in", f"{ports_there_are()} Name another one: PORT.")
    if len(boards) > 1:
        raise BoardError(f"{len(boards)} boards are plugged in", f"Say which: {_named(boards)}.")
    print(f"port {_named(boards)}, the only board's", file=sys.stderr, flush=True)
    return str(boards[0].device)


def is_port(text: str) -> bool:
    """Whether it can be the name of a port: no command of a board's console is."""
    return "/" in text or ":" in text or re.fullmatch(r"(?i)com\d+", text) is not None


def ports_there_are() -> str:
    """A remedy: which ports this machine has."""
    found = _found()
    if not found:
        return (
            "This machine has no serial port: plug the board in, with a cable that carries data, "
            "and install the driver of its USB chip where the system lacks it."
        )
    return f"This machine has {_named(found)}."


def _found() -> list[ListPortInfo]:
    return sorted(port for port in list_ports.comports() if port.hwid != "n/a")


def _named(found: list[ListPortInfo]) -> str:
    return ", ".join(f"{port.device} ({port.description})" for port in found)


def _permission(port: str) -> str:
    try:
        import grp  # noqa: PLC0415 - Unix alone

        status = os.stat(port)
        group = grp.getgrgid(status.st_gid).gr_name
        if status.st_gid and status.st_mode & stat.S_IWGRP:
            return f"Join its group, and log in again: sudo usermod -a -G {group} $USER"
    except (ImportError, OSError, KeyError):
        pass
    return f"Ask its owner for permission to read and write it: ls -l {port}"
