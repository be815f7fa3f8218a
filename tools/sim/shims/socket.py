"""`socket` of the simulated chip: the interpreter's own, with names resolved by the world."""

import _world
import usocket
from usocket import AF_INET, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET

_SO_SNDBUF = 7 if SOL_SOCKET == 1 else 0x1001  # Linux; BSD and macOS
_SEND_BUFFER_BYTES = 5760  # CONFIG_LWIP_TCP_SND_BUF_DEFAULT


def socket(af=AF_INET, type=SOCK_STREAM, proto=0):
    """A socket that, as the chip's, takes no more than a few kilobytes that nobody reads."""
    made = usocket.socket(af, type, proto)
    made.setsockopt(SOL_SOCKET, _SO_SNDBUF, _SEND_BUFFER_BYTES)
    return made


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    """Ask the world for `host`: what comes back is its relay's place. OSError(-202) if there is none."""
    address, relay_port = _world.call("resolve", host, port)
    return usocket.getaddrinfo(address, relay_port, AF_INET, type or SOCK_STREAM)
