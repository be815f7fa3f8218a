"""Messages in frames that fit the MTU (docs/ble.md, Frames)."""

from micropython import const

from iot.ble.codes import Refused

_FIRST = const(0x80)
_LAST = const(0x40)
_SEQUENCE = const(0x3F)
_ATT_BYTES = const(3)  # of the MTU that are opcode and handle (Bluetooth Core 5.4, vol. 3, part F, 3.4.4)

MESSAGE_MAX = const(8192)


def split(message, mtu):
    """Yields the frames of `message` (bytes-like, 1 to MESSAGE_MAX bytes) for a connection's ATT MTU from 23 up."""
    size = mtu - _ATT_BYTES - 1
    view = memoryview(message)
    for number, start in enumerate(range(0, len(message), size)):
        header = number & _SEQUENCE
        if start == 0:
            header |= _FIRST
        if start + size >= len(message):
            header |= _LAST
        yield bytes((header,)) + view[start : start + size]


class Assembler:
    """Joins frames to messages, in one buffer for all characteristics: only one message comes at a time."""

    def __init__(self):
        self._buffer = bytearray(MESSAGE_MAX)
        self._length = self._number = 0
        self._channel = None  # the characteristic on which a message has begun

    def add(self, channel, frame):
        """Takes the next frame of a characteristic (its number, 1 to 4).

        Returns:
            The message as a memoryview that is good until the next frame, or None where more has to come.

        Raises:
            Refused: MISSING_PACKETS, TOO_LARGE or INVALID_REQUEST; what was begun is dropped.
        """
        try:
            return self._add(channel, frame)
        except Refused:
            self.reset()
            raise

    def reset(self):
        """Drops what was begun."""
        self._channel = None

    def _add(self, channel, frame):
        if len(frame) < 2:
            raise Refused("INVALID_REQUEST", "an empty frame")
        header = frame[0]
        if header & _FIRST:
            self._channel, self._length, self._number = channel, 0, 0
        if channel != self._channel or header & _SEQUENCE != self._number & _SEQUENCE:
            raise Refused("MISSING_PACKETS")
        end = self._length + len(frame) - 1
        if end > MESSAGE_MAX:
            raise Refused("TOO_LARGE", "a message has at most {} bytes".format(MESSAGE_MAX))
        self._buffer[self._length : end] = memoryview(frame)[1:]
        self._length = end
        self._number += 1
        if not header & _LAST:
            return None
        self._channel = None
        return memoryview(self._buffer)[:end]
