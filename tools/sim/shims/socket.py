"""`socket` of the simulated chip: the interpreter's own, with names resolved by the world."""

import _world
import usocket
from usocket import AF_INET, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, socket


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    """Ask the world for `host`: what comes back is its relay's place. OSError(-202) if there is none."""
    address, relay_port = _world.call("resolve", host, port)
    return usocket.getaddrinfo(address, relay_port, AF_INET, type or SOCK_STREAM)
