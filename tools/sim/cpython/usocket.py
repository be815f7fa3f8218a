"""MicroPython's built-in `usocket` on CPython: sockets that are streams, and return None when not ready."""

import socket as _socket
from socket import AF_INET, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, getaddrinfo

__all__ = [
    "AF_INET",
    "SOCK_DGRAM",
    "SOCK_STREAM",
    "SOL_SOCKET",
    "SO_REUSEADDR",
    "getaddrinfo",
    "socket",
]


class socket(_socket.socket):
    """A socket that has a stream's methods too, as in MicroPython."""

    def read(self, size=-1):
        """Up to `size` bytes, or for -1 all until the peer closes; None when nothing is there yet."""
        data = b""
        while True:
            try:
                part = self.recv(4096 if size < 0 else size)
            except BlockingIOError:
                return data or None
            if size >= 0 or not part:
                return data + part
            data += part

    def readinto(self, buffer, size=None):
        """Fill the start of `buffer`; None when nothing is there yet."""
        try:
            return self.recv_into(buffer, len(buffer) if size is None else size)
        except BlockingIOError:
            return None

    def readline(self):
        """A line, or what there is of one; None when nothing is there yet."""
        line = b""
        while not line.endswith(b"\n"):
            part = self.read(1)
            if not part:
                return line or part
            line += part
        return line

    def write(self, data):
        """Send what fits and return how much that was; None when nothing does."""
        try:
            return self.send(data)
        except BlockingIOError:
            return None
