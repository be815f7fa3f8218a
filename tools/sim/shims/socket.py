"""`socket` of the simulated chip: the interpreter's own, with names resolved by the world."""

import usocket
from usocket import AF_INET, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, socket

import _world


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    """Ask the world for `host`: the answer is the place of its relay. OSError(-202) without network or name."""
    address, relay_port = _world.call("resolve", host, port)
    return usocket.getaddrinfo(address, relay_port, AF_INET, type or SOCK_STREAM)
