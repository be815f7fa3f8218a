"""Messages in frames that fit the MTU (docs/ble.md, Frames)."""

from micropython import const

from iot.ble.codes import Refused

_FIRST = const(0x80)
_LAST = const(0x40)
_SEQUENCE = const(0x3F)
_ATT_BYTES = const(3)  # of the MTU that are opcode and handle (Bluetooth Core 5.4, vol. 3, part F, 3.4.4)

MESSAGE_MAX = const(8192)
_USUAL = const(1536)  # a piece of 1,024 bytes, or the status


def split(message, mtu):
    """Yields the frames of `message` (1 to MESSAGE_MAX bytes) for a connection's ATT MTU, from 23 up."""
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
        self._buffer = bytearray(_USUAL)
        self._length = self._number = 0
        self._channel = None  # the characteristic on which a message has begun
        self._failed = None  # why the frames that come are passed over, up to the last one of a message

    def add(self, channel, frame, limit=MESSAGE_MAX):
        """Takes the next frame of a characteristic (its number, 1 to 4); a message has at most `limit` bytes.

        Returns:
            The message as a memoryview that is good until the next frame, or None where more has to come.

        Raises:
            Refused: MISSING_PACKETS, TOO_LARGE or INVALID_REQUEST, once for a message, with its last frame.
        """
        header = frame[0] if frame else _LAST
        if header & _FIRST:
            self._channel, self._length, self._number, self._failed = channel, 0, 0, None
            if len(self._buffer) > _USUAL:
                self._buffer = bytearray(_USUAL)
        if self._failed is None:
            self._append(channel, header & _SEQUENCE, memoryview(frame)[1:], limit)
        if not header & _LAST:
            return None
        self._channel = None
        failed, self._failed = self._failed, None
        if failed:
            raise Refused(failed)
        return memoryview(self._buffer)[: self._length]

    def _append(self, channel, number, piece, limit):
        end = self._length + len(piece)
        if not piece:
            self._failed = "INVALID_REQUEST"
        elif channel != self._channel or number != self._number & _SEQUENCE:
            self._failed = "MISSING_PACKETS"
        elif end > limit or (end > len(self._buffer) and not self._enlarge()):
            self._failed = "TOO_LARGE"
        else:
            self._buffer[self._length : end] = piece
            self._length = end
            self._number += 1

    def _enlarge(self):
        """Makes room for the largest message; False where there is no memory for it."""
        try:
            larger = bytearray(MESSAGE_MAX)
        except MemoryError:
            return False
        larger[: self._length] = memoryview(self._buffer)[: self._length]
        self._buffer = larger
        return True
