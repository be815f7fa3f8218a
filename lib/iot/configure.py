"""The command `configure`: a JSON document in pieces, since a line is short: begin, data, data, …, commit.

It is kept in a file, since no mode has memory for 16 KB of it in reserve.
"""

import gc
import os

from micropython import const

from iot.modules import forget

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
            return await _commit(system)
        finally:
            os.remove(_path(system))  # it holds keys
    raise ValueError("configure begin, data PIECE or commit")


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
    if size > _DOCUMENT_MAX:
        _close(system)
        os.remove(_path(system))
        raise ValueError("a configuration has at most {} bytes".format(_DOCUMENT_MAX))
    document.write(piece)
    return str(size)


def _close(system):
    document, system.document = system.document, None
    document.close()


async def _commit(system):
    _close(system)
    stopped = "cloud" in system.tasks
    try:
        if stopped:
            await _make_room(system)
        from iot import config

        forget("iot.config")
        with open(_path(system), "rb") as file:  # noqa: ASYNC230
            document = config.parse(file)
        from iot import fallback

        forget("iot.fallback")
        fallback.replace(system, document)
    except (ValueError, OSError, MemoryError):
        if stopped:
            system.restart("the new configuration was refused, the old one stays")
        raise
    system.committed()
    return "stored, restarting"


async def _make_room(system):
    """Ends the connection and the application, which have most of the memory."""
    if system.link:
        await system.link.client.disconnect()
    for name in ("cloud", "application"):
        if name in system.tasks:
            system.tasks[name].cancel()
            await system.ended(name)
    gc.collect()
