"""MicroPython's `asyncio` on CPython's loop: its surface and no more, its streams and its manners.

What differs from CPython's asyncio here as there: no Queue, Semaphore, Condition, TaskGroup or timeout();
TimeoutError is no OSError; what `sleep` returns is no coroutine, so `wait_for(sleep(…))` raises TypeError; a
Task can be cancelled, awaited and asked if it is done, nothing else; close() of a stream does nothing.
"""

import asyncio as _aio
import codecs as _codecs
import errno as _errno
import os as _os
import sys as _sys
import weakref as _weakref
from asyncio import CancelledError, Event, Lock

__all__ = [
    "CancelledError",
    "Event",
    "Lock",
    "Loop",
    "StreamReader",
    "StreamWriter",
    "Task",
    "ThreadSafeFlag",
    "TimeoutError",
    "create_task",
    "current_task",
    "gather",
    "get_event_loop",
    "new_event_loop",
    "open_connection",
    "run",
    "sleep",
    "sleep_ms",
    "wait_for",
    "wait_for_ms",
]

_tasks = _weakref.WeakKeyDictionary()  # CPython's task -> ours
_running = set()  # MicroPython's scheduler keeps its tasks alive, CPython's does not
_waiting = {}  # (file descriptor, until writable) -> {wants to write: future of the task that waits}


class TimeoutError(Exception):  # in MicroPython there is no builtin of this name
    """A `wait_for` took too long."""


class Task:
    """A task, made by `create_task`."""

    def __init__(self, task, coro):
        self.coro = coro
        self._task = task

    def done(self):
        """Whether it has ended."""
        return self._task.done()

    def cancel(self):
        """Throw CancelledError into it; False if it has ended."""
        if self._task.done():
            return False
        if self._task is _aio.current_task():
            raise RuntimeError("can't cancel self")
        return self._task.cancel()

    def __await__(self):
        return self._task.__await__()


class _Sleep:
    def __init__(self, seconds):
        self._seconds = max(0, seconds)

    def __await__(self):
        return _aio.sleep(self._seconds).__await__()


def sleep(t):
    """Wait `t` seconds."""
    return _Sleep(t)


def sleep_ms(t):
    """Wait `t` milliseconds."""
    return _Sleep(t / 1000)


def create_task(coro):
    """Start a coroutine as a task."""
    if not hasattr(coro, "send"):
        raise TypeError("coroutine expected")
    task = _aio.get_running_loop().create_task(coro)
    return _wrap(task, coro)


def current_task():
    """The task that runs."""
    task = _aio.current_task()
    return _tasks.get(task) or _wrap(task, task.get_coro())


def _wrap(task, coro):
    ours = _tasks[task] = Task(task, coro)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return ours


def _promote(aw):
    return aw if isinstance(aw, Task) else create_task(aw)


async def wait_for(aw, timeout):
    """Wait for `aw`, at most `timeout` seconds (None for ever); then cancel it and raise TimeoutError."""
    task = _promote(aw)._task
    try:
        await _aio.wait({task}, timeout=timeout)
    except CancelledError:
        task.cancel()
        raise
    if task.done():
        return task.result()
    task.cancel()
    await _aio.wait({task})
    raise TimeoutError


def wait_for_ms(aw, timeout):
    """As `wait_for`, in milliseconds."""
    return wait_for(aw, None if timeout is None else timeout / 1000)


async def gather(*aws, return_exceptions=False):
    """Wait for all and return the list of their results."""
    return await _aio.gather(*(_promote(aw)._task for aw in aws), return_exceptions=return_exceptions)


class ThreadSafeFlag:
    """An event for one waiter that clears itself and may be set from an interrupt."""

    def __init__(self):
        self._event = Event()

    def set(self):
        """Wake the waiter."""
        self._event.set()

    def clear(self):
        """Forget that it was set."""
        self._event.clear()

    async def wait(self):
        """Wait until it is set, and clear it."""
        await self._event.wait()
        self._event.clear()


class Loop:
    """The event loop, of which there is one."""

    _exc_handler = None

    @staticmethod
    def create_task(coro):
        """Start a coroutine as a task."""
        return create_task(coro)

    @staticmethod
    def run_until_complete(aw):
        """Run the loop until `aw` has ended and return its result."""
        return run(aw)

    @staticmethod
    def set_exception_handler(handler):
        """Have `handler(loop, context)` called for the exception that ends a task nobody awaits."""
        Loop._exc_handler = handler

    @staticmethod
    def get_exception_handler():
        """The handler, None for the default."""
        return Loop._exc_handler

    @staticmethod
    def default_exception_handler(loop, context):
        """Print the exception to the error output."""
        print(context["message"], file=_sys.stderr)
        _sys.print_exception(context["exception"], _sys.stderr)

    @staticmethod
    def call_exception_handler(context):
        """Call the handler."""
        (Loop._exc_handler or Loop.default_exception_handler)(Loop, context)


def get_event_loop():
    """The event loop."""
    return Loop


def new_event_loop():
    """Start afresh."""
    Loop._exc_handler = None
    return Loop


def run(coro):
    """Run a coroutine as the main task and return its result; tasks left over stay as they are."""

    async def main():
        _aio.get_running_loop().set_exception_handler(_report)
        return await coro

    loop = _aio.new_event_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        for task in _aio.all_tasks(loop):
            task._log_destroy_pending = False


def _report(_loop, context):
    if "exception" in context:
        context = {"message": "Task exception wasn't retrieved", "future": None} | context
        Loop.call_exception_handler(context)


class _Console:
    """Standard input as a stream that does not block: text where `sys.stdin` is meant, else bytes."""

    def __init__(self, text):
        self._text = text
        self._decoder = _codecs.getincrementaldecoder("utf-8")("replace")
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
            data = _os.read(0, 1024)
            self._buffer = self._decoder.decode(data, not data) if self._text else data
            if not data:
                return


def _as_bytes(data):
    return data.encode() if isinstance(data, str) else data


async def _ready(stream, writing):
    """Wait until the stream can go on, if it is for a TLS handshake in the other direction."""
    if not writing and getattr(stream, "pending", int)():
        await _aio.sleep(0)
        return
    fd = stream.fileno()
    if fd < 0:
        return  # closed: the next read or write says so
    for_write = getattr(stream, "wants_write", bool)(writing)
    waiters = _waiting.setdefault((fd, for_write), {})
    if writing in waiters:
        raise AssertionError("a task waits for this stream already")
    loop = _aio.get_running_loop()
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


def _wake(fd, for_write):
    """Wake every task that waits for this direction of a descriptor."""
    waiters = _waiting.pop((fd, for_write), None)
    if waiters is None:
        return
    loop = _aio.get_running_loop()
    (loop.remove_writer if for_write else loop.remove_reader)(fd)
    for future in waiters.values():
        if not future.done():
            future.set_result(None)
    waiters.clear()


class Stream:
    """Both directions of a non-blocking stream."""

    def __init__(self, s, e=None):
        self.s = _Console(s is _sys.stdin) if s in (_sys.stdin, _sys.stdin.buffer) else s
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
            await _aio.sleep(0)
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
        if error.errno != _errno.EINPROGRESS:
            raise
    if ssl:
        s = ssl.wrap_socket(s, server_hostname=server_hostname or host, do_handshake_on_connect=False)
    stream = Stream(s)
    await _ready(getattr(s, "sock", s), True)
    return stream, stream
