"""Packets out of a byte stream."""

from micropython import const

from iot.mqtt import packet
from iot.mqtt.packet import Malformed

_FIRST_BYTES = const(512)


class Framer:
    """Cuts a byte stream into packets, in one buffer that grows to the longest packet, up to `limit` bytes.

    A PUBLISH over the limit passes through without being kept: `oversize` then tells of it.
    """

    def __init__(self, limit):
        self.body = None  # of the packet `next` found: a view, good until the next call
        self.oversize = None  # instead of a body: (topic or None if that does not fit, packet id, size)
        self._limit = limit
        self._view = memoryview(bytearray(min(limit, _FIRST_BYTES)))
        self.reset()

    def reset(self):
        """Begin with a new stream."""
        self._start = self._end = self._skip = 0
        self._passing = None

    def room(self):
        """A view to read the next bytes into; then call `fed`."""
        if self._start:
            held = self._end - self._start
            self._view[:held] = self._view[self._start : self._end]
            self._start, self._end = 0, held
        return self._view[self._end :]

    def fed(self, count):
        """`count` bytes were read into `room`."""
        self._end += count

    def next(self):
        """The first byte of the next packet, with `body` or `oversize` set; None if it is not all there."""
        if self._skip:
            skipped = min(self._skip, self._end - self._start)
            self._start += skipped
            self._skip -= skipped
            if self._skip:
                return None
        if self._passing:
            return self._pass()
        start, view = self._start, self._view
        if start < self._end:
            packet.check_first(view[start])
        remaining, header = packet.remaining_from(view, start, self._end)
        if not header:
            return None
        if header + remaining > len(view):
            if not self._grow(header + remaining):
                return self._begin_passing(view[start], remaining, start + header)
            start, view = 0, self._view
        stop = start + header + remaining
        if stop > self._end:
            return None
        self.body = view[start + header : stop]
        self.oversize = None
        self._start = stop
        return view[start]

    def _grow(self, size):
        """Make room for `size` bytes, with what is held at the front; False if that cannot be had."""
        if size > self._limit:
            return False
        try:
            view = memoryview(bytearray(size))
        except MemoryError:
            return False
        held = self._end - self._start
        view[:held] = self._view[self._start : self._end]
        self._view = view
        self._start, self._end = 0, held
        return True

    def _begin_passing(self, first, remaining, at):
        size = remaining + at - self._start
        if first & 0xF0 != packet.PUBLISH:
            raise Malformed(first, "{} bytes".format(size))
        qos = first >> 1 & 1
        if at + 2 > self._end:
            return None
        length = self._view[at] << 8 | self._view[at + 1]
        if length + 2 + 2 * qos > remaining:
            raise Malformed(first, "ends inside its topic")
        topic = None
        if at - self._start + 2 + length <= len(self._view):
            if at + 2 + length > self._end:
                return None
            topic = packet.topic_from(first, self._view[at + 2 : at + 2 + length])
        self._start = at + 2
        self._skip = length
        self._passing = first, topic, qos, size, remaining - 2 - length
        return self.next()

    def _pass(self):
        first, topic, qos, size, rest = self._passing
        packet_id = 0
        if qos:
            if self._end - self._start < 2:
                return None
            packet_id = packet.packet_id_from(first, self._view[self._start : self._end], 0)
            self._start += 2
            rest -= 2
        self._skip = rest
        self._passing = None
        self.oversize = topic, packet_id, size
        return first
