"""Improv's serial protocol, which a browser speaks that has flashed the board (docs/improv.md).

In memory while a packet is read and answered, and for as long as what it asks for takes.
"""

import asyncio
import sys

import micropython
from micropython import const

from iot.memory import borrow

_HEADER = const(b"IMPROV\x01")
# Packets
_STATE = const(1)
_ERROR = const(2)
_COMMAND = const(3)
_RESULT = const(4)
# Commands
_SETTINGS = const(1)
_GET_STATE = const(2)
_GET_INFO = const(3)
_GET_NETWORKS = const(4)
# States
_STOPPED = const(0)
_READY = const(2)
_PROVISIONING = const(3)
_PROVISIONED = const(4)
# Errors
_NONE = const(0)
_INVALID = const(1)
_UNKNOWN_COMMAND = const(2)
_NOT_JOINED = const(3)
_OTHER = const(255)

_PACKET_MAX = const(267)  # bytes
_PACKET_MS = const(1000)  # at 115,200 baud the longest takes 23
_SCAN = const("improv_scan")  # tasks
_JOIN = const("improv_join")
_URL_MAX = const(200)
_REST_MS = const(100)
_TALK_MS = const(5000)


async def run(system, stream, write=None):
    """Carries a command out whose packet has begun, or begins what takes long; returns what the console says.

    Args:
        system: the System.
        stream: gives what follows the packet's type.
        write: called with each packet; None: standard output, which so adds nothing to them.

    Raises:
        ValueError: it is no command, or none for now; the other side was told.
    """
    write = write or sys.stdout.buffer.write
    try:
        command, data = await asyncio.wait_for_ms(_command(stream), _PACKET_MS)
        wanted = _network(data) if command == _SETTINGS else None
    except (ValueError, asyncio.TimeoutError):
        _tell(write, _ERROR, _INVALID)
        raise ValueError("improv: no whole packet")
    if command == _GET_STATE:
        _tell_state(system, write)
    elif command == _GET_INFO:
        _tell_info(system, write)
    elif command in (_SETTINGS, _GET_NETWORKS) and system.mode == "CONFIG":
        if _under_way(system, _SCAN) or _under_way(system, _JOIN):
            _tell(write, _ERROR, _OTHER)
            raise ValueError("improv: the last command is under way")
        name, work = (_JOIN, _provision) if wanted else (_SCAN, _look_around)
        system.tasks[name] = asyncio.create_task(work(system, write, wanted))
    else:
        _tell(write, _ERROR, _OTHER if wanted else _UNKNOWN_COMMAND)  # a page shows the first alone
        raise ValueError("improv: no command {} in mode {}".format(command, system.mode))
    return "improv"


def interrupted(system):
    """Ctrl-C has ended the loop, which cannot go on. If it was a packet's, what follows is answered, and the
    chip is reset; whoever typed it comes to the prompt.

    So it is in the modes in which Ctrl-C interrupts what runs.
    """
    asyncio.new_event_loop()  # without the tasks of the old one
    if asyncio.run(_talk(system)):
        import machine

        machine.reset()
    system.log.warning("system", "stopped by Ctrl-C; restarts in an hour, or by machine.reset()")


async def _talk(system):
    stream = asyncio.StreamReader(sys.stdin.buffer)
    rest = b""
    try:
        # Whoever wants the prompt sends a line's end now, or nothing; what follows that is the prompt's.
        byte = b"-"
        while byte and not rest.startswith(b"\r") and len(rest) < _PACKET_MAX:
            byte = await asyncio.wait_for_ms(stream.read(1), _REST_MS)
            rest += byte
    except asyncio.TimeoutError:
        pass
    rest = rest.lstrip(_HEADER)  # as far as nobody has read it
    try:
        await _command(_Read(rest))
    except ValueError:
        return False
    micropython.kbd_intr(-1)
    _tell_state(system, sys.stdout.buffer.write)
    from iot.console import lines  # which stays in every mode

    try:
        await asyncio.wait_for_ms(lines.run(stream, sys.stdout.write, system.command), _TALK_MS)
    except asyncio.TimeoutError:
        pass
    system.log.info("improv", "it was asked while the device ran, which goes on after a restart")
    return True


class _Read:
    """A stream of what was read."""

    def __init__(self, data):
        self._data = data

    async def read(self, count):
        byte, self._data = self._data[:1], self._data[1:]
        return byte


async def _command(stream):
    """The number of a command and its data. ValueError where they are not whole."""
    size = await _byte(stream)
    body = bytearray(size + 1)
    for i in range(size + 1):
        body[i] = await _byte(stream)
    checksum = sum(_HEADER) + _COMMAND + size + sum(body) - body[-1]
    if checksum & 0xFF != body[-1] or size < 2 or body[1] != size - 2:
        raise ValueError
    return body[0], body[2:-1]


async def _byte(stream):
    byte = await stream.read(1)  # asked for more, it would hold the loop until all of that has come
    if not byte:
        raise ValueError
    return byte[0]


def _network(data):
    """{"ssid", "password"}; ValueError (UnicodeError is one) where the data are no such pair."""
    end = 1 + data[0] if data else 0
    if len(data) <= end or len(data) != end + 1 + data[end]:
        raise ValueError
    return {"ssid": str(data[1:end], "utf-8"), "password": str(data[end + 1 :], "utf-8")}


def _tell(write, kind, value):
    """Sends a packet of one byte, or of many."""
    data = value if isinstance(value, bytes) else bytes((value,))
    packet = _HEADER + bytes((kind, len(data))) + data
    write(packet + bytes((sum(packet) & 0xFF, 10)))  # and the end of a line, for who reads the log


def _answer(write, command, *strings):
    data = b""
    for string in strings:
        text = string.encode()
        data += bytes((len(text),)) + text
    _tell(write, _RESULT, bytes((command, len(data))) + data)


def _tell_state(system, write):
    if system.mode == "CONFIG":
        _tell(write, _STATE, _PROVISIONING if _under_way(system, _JOIN) else _READY)
    elif system.stored:
        _tell(write, _STATE, _PROVISIONED)
        _answer(write, _GET_STATE, *_url(system, system.stored["config"]))
    else:
        _tell(write, _STATE, _STOPPED)


def _tell_info(system, write):
    settings, board = system.settings, sys.implementation._machine
    _answer(
        write, _GET_INFO, settings.PRODUCT, settings.VERSION, board.rpartition(" with ")[2], system.device_id
    )


def _url(system, document):
    """Where a person goes on, as the product has it: one address or none."""
    url = document["app"].get("url")
    if not isinstance(url, str):
        return ()
    url = url.replace("{id}", system.device_id)
    return (url,) if len(url.encode()) <= _URL_MAX else ()


def _under_way(system, name):
    return name in system.tasks and not system.tasks[name].done()


async def _alone(system, work, *arguments):
    """There is one radio, and a phone may want it, too."""
    return await (system.setup.alone(work, *arguments) if system.setup else work(*arguments))


async def _look_around(system, write, _):
    try:
        networks = await _alone(system, borrow("iot.console.provision").networks)
    except (OSError, RuntimeError, MemoryError) as error:
        system.log.warning("improv", "no scan: {}", error)
        _tell(write, _ERROR, _OTHER)
        return
    for found in networks:
        secured = "NO" if found["security"] == "open" else "YES"
        _answer(write, _GET_NETWORKS, found["ssid"], str(found["rssi"]), secured)
    _answer(write, _GET_NETWORKS)


async def _provision(system, write, wanted):
    _tell(write, _ERROR, _NONE)  # not before other commands, by which a page would forget why it was refused
    _tell(write, _STATE, _PROVISIONING)
    error = _NOT_JOINED
    try:
        document = await _alone(system, borrow("iot.console.provision").provision, system, wanted)
        if document:
            _tell(write, _STATE, _PROVISIONED)
            _answer(write, _SETTINGS, *_url(system, document))
            system.turn("committed", "new configuration")
            return
    except (OSError, ValueError, RuntimeError, MemoryError) as failure:
        system.log.warning("improv", "{}", failure)
        error = _OTHER
    _tell(write, _STATE, _READY)
    _tell(write, _ERROR, error)
