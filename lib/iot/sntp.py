"""Asks a server for the time by SNTP (RFC 4330), without blocking the loop."""

import asyncio
import os
import socket
import struct
import time

from micropython import const

_PORT = const(123)
_PACKET_SIZE = const(48)
_REQUEST = const(0x23)  # no leap warning, version 4, mode 3 (client)
_MODE_SERVER = const(4)
_UNSYNCHRONISED = const(3)
_EPOCH_2000 = const(3155673600)  # seconds from 1900 (NTP) to 2000
_EPOCH_1970 = const(2208988800)

_ANSWER_MS = const(2000)
_POLL_MS = const(20)


async def ask(host, built):
    """The time as `host` tells it, in seconds since the port's epoch.

    Args:
        host: name or address of an NTP server.
        built: seconds since the port's epoch before which no time is believed.

    Raises:
        OSError: no way to the server.
        ValueError: no answer, or one that RFC 4330 section 5 has a client throw away.
    """
    address = socket.getaddrinfo(host, _PORT)[0][-1]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect(address)  # answers of others are not heard
        stamp = os.urandom(8)  # the transmit timestamp: what an honest answer repeats nobody can guess
        sock.send(bytes((_REQUEST,)) + bytes(39) + stamp)
        start_ms = time.ticks_ms()
        answer = None
        while not answer:
            if time.ticks_diff(time.ticks_ms(), start_ms) > _ANSWER_MS:
                raise ValueError("no answer within {} ms".format(_ANSWER_MS))
            await asyncio.sleep_ms(_POLL_MS)
            answer = _receive(sock)
    finally:
        sock.close()
    return _seconds(answer, stamp, built)


def _receive(sock):
    try:
        return sock.recv(_PACKET_SIZE)
    except OSError:  # nothing yet, or an ICMP error that a retry may mend: the deadline decides
        return None


def _seconds(answer, stamp, built):
    if len(answer) != _PACKET_SIZE:
        raise ValueError("an answer of {} bytes".format(len(answer)))
    if answer[0] & 7 != _MODE_SERVER or answer[0] >> 6 == _UNSYNCHRONISED or not 1 <= answer[1] <= 15:
        raise ValueError("an answer from no synchronised server")
    if answer[24:32] != stamp:
        raise ValueError("an answer to another request")
    epoch = _EPOCH_2000 if time.gmtime(0)[0] == 2000 else _EPOCH_1970
    seconds = struct.unpack(">I", answer[40:44])[0] - epoch
    if seconds < built:
        seconds += 1 << 32  # NTP's 32 bits wrap in 2036
    if seconds - built > 1 << 31:
        raise ValueError("an answer from before this firmware was built")
    return seconds
