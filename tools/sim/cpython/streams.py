"""The streams of MicroPython's `asyncio` on CPython's loop: one object for both directions of a connection.

What differs from CPython's streams here as there: close() does nothing and wait_closed() closes, which wakes
whoever waits; write() sends what goes at once; a TLS handshake happens in the first read or drain.
"""

import asyncio
import codecs
import errno
import os
import sys

_waiting = {}  # (file descriptor, until writable) -> {wants to write: future of the task that waits}


class _Console:
    """Standard input as a stream that does not block: text where `sys.stdin` is meant, else bytes."""

    def __init__(self, text):
        self._text = text
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._buffer = "" if text else b""

    def fileno(self):
        return 0

    def pending(self):
        return len(self._buffer)

    def read(self, size=-1):
        self._fill()
        size = len(self._buffer) if size < 0 else size
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def readline(self):
        self._fill()
        line, newline, self._buffer = self._buffer.partition("\n" if self._text else b"\n")
        return line + newline

    def readinto(self, buffer):
        data = _as_bytes(self.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def _fill(self):
        while not self._buffer:
            data = os.read(0, 1024)
            self._buffer = self._decoder.decode(data, not data) if self._text else data
            if not data:
                return


def _as_bytes(data):
    return data.encode() if isinstance(data, str) else data


async def _ready(stream, writing):
    """Wait until the stream can go on, if it is for a TLS handshake in the other direction."""
    if not writing and getattr(stream, "pending", int)():
        await asyncio.sleep(0)
        return
    fd = stream.fileno()
    if fd < 0 or getattr(stream, "error", 0):
        return  # closed, or failed before: the next read or write says so
    for_write = getattr(stream, "wants_write", bool)(writing)
    waiters = _waiting.setdefault((fd, for_write), {})
    if writing in waiters:
        raise AssertionError("a task waits for this stream already")
    loop = asyncio.get_running_loop()
    if not waiters:
        (loop.add_writer if for_write else loop.add_reader)(fd, _wake, fd, for_write)
    future = waiters[writing] = loop.create_future()
    try:
        await future
    finally:
        if waiters.get(writing) is future:
            del waiters[writing]
            if not waiters:
                _wake(fd, for_write)


def begin_anew():
    """Forget who waits: their loop has ended."""
    _waiting.clear()


def _wake(fd, for_write):
    """Wake every task that waits for this direction of a descriptor."""
    waiters = _waiting.pop((fd, for_write), None)
    if waiters is None:
        return
    loop = asyncio.get_running_loop()
    (loop.remove_writer if for_write else loop.remove_reader)(fd)
    for future in waiters.values():
        if not future.done():
            future.set_result(None)
    waiters.clear()


class Stream:
    """Both directions of a non-blocking stream."""

    def __init__(self, s, e=None):
        self.s = _Console(s is sys.stdin) if s in (sys.stdin, sys.stdin.buffer) else s
        self.e = e or {}
        self.out_buf = b""

    def get_extra_info(self, v):
        """An item of what is known about the connection."""
        return self.e[v]

    def close(self):
        """Do nothing, as in MicroPython: `wait_closed` closes."""

    async def wait_closed(self):
        """Close; a task that waits for this stream is woken and finds out."""
        fd = self.s.fileno()
        _wake(fd, False)
        _wake(fd, True)
        self.s.close()

    async def read(self, n=-1):
        """Up to `n` bytes (of standard input: characters), none at the end; for -1 all of them."""
        data = b""
        while True:
            await _ready(self.s, False)
            part = self.s.read(n)
            if part is not None:
                if n >= 0:
                    return part
                if not part:
                    return data
                data += _as_bytes(part)

    async def readinto(self, buf):
        """Read into `buf` and return how much; 0 at the end, None where a TLS record was not whole."""
        await _ready(self.s, False)
        return self.s.readinto(buf)

    async def readexactly(self, n):
        """Exactly `n` bytes; EOFError if there are less."""
        data = b""
        while n:
            await _ready(self.s, False)
            part = self.s.read(n)
            if part is not None:
                if not part:
                    raise EOFError
                data += _as_bytes(part)
                n -= len(part)
        return data

    async def readline(self):
        """A line with its end, or what was left."""
        line = b""
        while True:
            await _ready(self.s, False)
            part = self.s.readline()
            if part is not None:
                line += _as_bytes(part)
                if not part or line.endswith(b"\n"):
                    return line

    def write(self, buf):
        """Write what goes at once and keep the rest for `drain`."""
        if not self.out_buf:
            sent = self.s.write(buf)
            if sent == len(buf):
                return
            buf = buf[sent or 0 :]
        self.out_buf += bytes(buf)

    async def drain(self):
        """Write what was kept."""
        if not self.out_buf:
            await asyncio.sleep(0)
            return
        view = memoryview(self.out_buf)
        while view:
            await _ready(self.s, True)
            view = view[self.s.write(view) or 0 :]
        self.out_buf = b""


StreamReader = StreamWriter = Stream


async def open_connection(host, port, ssl=None, server_hostname=None):
    """Connect; with `ssl` the TLS handshake happens in the first read or drain. Returns (stream, stream)."""
    import socket  # by now the chip's

    ai = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    s = socket.socket(*ai[:3])
    s.setblocking(False)
    try:
        s.connect(ai[-1])
    except OSError as error:
        if error.errno != errno.EINPROGRESS:
            raise
    if ssl:
        s = ssl.wrap_socket(s, server_hostname=server_hostname or host, do_handshake_on_connect=False)
    stream = Stream(s)
    await _ready(getattr(s, "sock", s), True)
    return stream, stream
