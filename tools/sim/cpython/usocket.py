"""MicroPython's built-in `usocket` on CPython: sockets that are streams, and return None when not ready."""

import errno as _errno
import select as _select
import socket as _socket
from socket import AF_INET, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, getaddrinfo

from tools.sim.cpython import clock as _clock
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

_LINE_BYTES = 512


class socket(Reads, _socket.socket):
    """A socket that has a stream's methods too, as in MicroPython. Its deadlines are by the chip's clock."""

    def connect(self, address):
        """Connect; OSError(ETIMEDOUT) where the deadline passes."""
        try:
            super().connect(address)
        except TimeoutError:
            raise OSError(_errno.ETIMEDOUT, "ETIMEDOUT") from None

    def recv(self, size, *flags):
        """What has come; OSError(ETIMEDOUT) where the deadline passes."""
        self._wait(lambda pause_s: _select.select((self,), (), (), pause_s)[0])
        return super().recv(size, *flags)

    def send(self, data, *flags):
        """Send what fits; OSError(ETIMEDOUT) where the deadline passes."""
        self._wait(lambda pause_s: _select.select((), (self,), (), pause_s)[1])
        return super().send(data, *flags)

    def _blocks(self):
        return self.gettimeout() != 0

    def _wait(self, ready):
        limit_s = self.gettimeout()
        if limit_s and not _clock._wait(ready, limit_s):
            raise OSError(_errno.ETIMEDOUT, "ETIMEDOUT")

    def write(self, data):
        """Send what fits and return how much that was; None when nothing does."""
        try:
            return self.send(data)
        except BlockingIOError:
            return None

    def readline(self):
        """A line, or what there is of one; None when nothing is there yet."""
        line = b""
        while not line.endswith(b"\n"):
            try:
                there = self.recv(_LINE_BYTES, _socket.MSG_PEEK)
            except BlockingIOError:
                return line or None
            if not there:
                break
            line += self.recv(there.find(b"\n") + 1 or len(there))
        return line

    def _some(self, size):
        try:
            return self.recv(size)
        except BlockingIOError:
            return None
