"""MicroPython's built-in `usocket` on CPython: sockets that are streams, and return None when not ready."""

import socket as _socket
from socket import AF_INET, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, getaddrinfo

from tools.sim.cpython.reading import Reads

__all__ = [
    "AF_INET",
    "SOCK_DGRAM",
    "SOCK_STREAM",
    "SOL_SOCKET",
    "SO_REUSEADDR",
    "getaddrinfo",
    "socket",
]


class socket(Reads, _socket.socket):
    """A socket that has a stream's methods too, as in MicroPython."""

    def write(self, data):
        """Send what fits and return how much that was; None when nothing does."""
        try:
            return self.send(data)
        except BlockingIOError:
            return None

    def _some(self, size):
        try:
            return self.recv(size)
        except BlockingIOError:
            return None
