# UARTs of `machine`: a line to the world for each, on which bytes go both ways.

import errno
import io
import sys
import time

import _world
from machine import _pin_id

_PEEK = 2  # MSG_PEEK
_GET_FILENO = 10  # MP_STREAM_GET_FILENO, by which select and asyncio find what to wait for
_RX_BYTES = 256
_Base = io.IOBase if sys.implementation.name == "micropython" else object
_lines = {}  # by number, over all objects of one UART


class UART(_Base):
    """UART 1 or 2 (0 is the console). What nobody reads is lost beyond `rxbuf` bytes."""

    INV_RX = 4
    INV_TX = 32
    INV_RTS = 64
    INV_CTS = 8
    RTS = 1
    CTS = 2

    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, **kwargs):
        if not 0 <= id <= 2:
            raise ValueError("UART(%d) does not exist" % id)
        if id == 0:
            raise OSError(errno.EPERM, "the console's")
        self._id = id
        self._rxbuf, self._timeout_ms = _RX_BYTES, 0
        self.init(baudrate, bits, parity, stop, **kwargs)

    def init(
        self,
        baudrate=115200,
        bits=8,
        parity=None,
        stop=1,
        *,
        tx=None,
        rx=None,
        txbuf=None,
        rxbuf=None,
        timeout=None,
        timeout_char=None,
        invert=None,
        flow=None,
    ):
        if not 5 <= bits <= 8:
            raise ValueError("invalid data bits")
        if stop not in (1, 2):
            raise ValueError("invalid stop bits")
        for pin in (tx, rx):
            if pin is not None and pin != -1:
                _pin_id(pin)
        if rxbuf is not None:
            self._rxbuf = max(rxbuf, _RX_BYTES)
        if timeout is not None:
            self._timeout_ms = timeout
        if self._id not in _lines:
            _lines[self._id] = _world.listen("part_line", self._id)
        self._line = _lines[self._id]

    def deinit(self):
        line = _lines.pop(self._id, None)
        if line:
            line.close()

    def any(self):
        """How many bytes wait."""
        return len(self._peek(self._rxbuf))

    def read(self, *nbytes):
        """What has come, at most `nbytes`; None for nothing within the timeout."""
        most = nbytes[0] if nbytes and nbytes[0] is not None and nbytes[0] >= 0 else self._rxbuf
        return self._await(most) and self._line.recv(most)

    def readinto(self, buf, *nbytes):
        most = nbytes[0] if nbytes else len(buf)
        data = self.read(most)
        if not data:
            return None
        memoryview(buf)[: len(data)] = data
        return len(data)

    def readline(self):
        """A line with its end, or what there is of one."""
        data = self._await(self._rxbuf)
        if not data:
            return None
        end = data.find(b"\n")
        return self._line.recv(end + 1 if end >= 0 else len(data))

    def write(self, buf):
        """Returns how many bytes were sent."""
        data = memoryview(buf.encode() if isinstance(buf, str) else buf)
        sent = 0
        while sent < len(data):
            sent += self._line.write(data[sent:]) or 0
        return sent

    def flush(self):
        """All has been sent: `write` waits for that."""

    def txdone(self):
        return True

    def sendbreak(self):
        """Nobody listens for one."""

    def fileno(self):
        return self._line.fileno()

    def ioctl(self, request, argument):
        if request == _GET_FILENO:
            return self._line.fileno()
        return 0

    def _peek(self, most):
        try:
            return self._line.recv(most, _PEEK)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            return b""

    def _await(self, most):
        """What waits, once anything does; None after the timeout."""
        end = time.ticks_add(time.ticks_ms(), self._timeout_ms)
        while True:
            data = self._peek(most)
            if data or time.ticks_diff(end, time.ticks_ms()) <= 0:
                return data or None
            time.sleep_ms(1)
