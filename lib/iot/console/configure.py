"""The command `configure`: a JSON document in pieces, since a line is short: begin, data, data, …, commit.

It is kept in a file, since no mode has memory for 16 KB of it in reserve.
"""

import binascii
import os

from micropython import const

from iot.memory import borrow

_PIECE = const(256)
_DOCUMENT_MAX = const(16384)  # bytes of a configuration with all its certificates


async def run(system, argument):
    """Carries a step out; returns the answer, or raises ValueError, OSError or MemoryError.

    A commit leaves NORMAL, whose memory it needs: whatever comes of it, the device restarts.
    """
    step, _, piece = argument.partition(" ")
    if step == "begin":
        return _begin(system)
    if system.document is None:
        raise ValueError("configure begin comes first")
    if step == "data":
        return _data(system, piece.encode())
    if step == "commit":
        try:
            return await _commit(system, piece)
        finally:
            os.remove(_path(system))  # it holds keys
    raise ValueError("configure begin, data PIECE or commit [BYTES CRC32]")


def _path(system):
    return system.folder + "/document.new"


def _begin(system):
    if system.document:
        system.document.close()
    try:
        os.mkdir(system.folder)
    except OSError:  # it is there; what else may be wrong, open() tells
        pass
    system.document = open(_path(system), "w+b")  # noqa: SIM115
    return "0"


def _data(system, piece):
    document = system.document
    size = document.tell() + len(piece)
    try:
        if size > _DOCUMENT_MAX:
            raise ValueError("a configuration has at most {} bytes".format(_DOCUMENT_MAX))
        document.write(piece)
    except (ValueError, OSError):
        _close(system)
        os.remove(_path(system))
        raise
    return str(size)


def _close(system):
    document, system.document = system.document, None
    document.close()


def _check(path, told):
    """Raises ValueError where a file has not the bytes and the CRC-32 that were told: `16384 0a1b2c3d`."""
    size = crc = 0
    with open(path, "rb") as file:
        while True:
            piece = file.read(_PIECE)
            if not piece:
                break
            size += len(piece)
            crc = binascii.crc32(piece, crc)
    came = "{} {:08x}".format(size, crc)
    if came != told.lower():
        raise ValueError("document: {} came, not {}; send it again".format(came, told))


async def _commit(system, told):
    _close(system)
    if told:
        _check(_path(system), told)
    stopped = "wifi" in system.tasks
    try:
        if stopped:
            await borrow("iot.probation").make_room(system)
        if system.nvs is None:  # as in IDLE
            raise OSError("flash could not be initialised")
        config = borrow("iot.config")
        with open(_path(system), "rb") as file:  # noqa: ASYNC230
            document = config.parse(file)
        borrow("iot.probation").replace(system.nvs, system.store(), document)
        system.stored = None
    except Exception:  # whatever it is
        if stopped:
            system.restart("the new configuration was refused, the old one stays")
        raise
    system.turn("committed", "new configuration")
    return "stored, restarting"
