"""`ntptime` of the simulated chip: the time as one server tells it (RFC 4330), frozen into every image."""

import socket
import struct
from time import gmtime as _gmtime

host = "pool.ntp.org"
timeout = 1

_REQUEST = 0x23
_SECONDS_1900_TO_2000 = 3155673600
_LEAST = 3913056000  # 2024, from 1900: less is of the next 2^32 seconds


def time():
    """Seconds since 2000, as `host` tells them; OSError where it does not."""
    address = socket.getaddrinfo(host, 123)[0][-1]
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        asking.settimeout(timeout)
        asking.sendto(bytes((_REQUEST,)) + bytes(47), address)
        answer = asking.recv(48)
    finally:
        asking.close()
    seconds = struct.unpack("!I", answer[40:44])[0]
    return seconds + (1 << 32 if seconds < _LEAST else 0) - _SECONDS_1900_TO_2000


def settime():
    """Set the chip's clock."""
    import machine

    now = _gmtime(time())
    machine.RTC().datetime((now[0], now[1], now[2], now[6] + 1, now[3], now[4], now[5], 0))
