"""What a patch is packed by, undone as a stream: crle and heatshrink, as detools has them.

In memory for a moment. Each of these is made with `take`, which gets views of what comes out, and `wrong`,
which makes the error that has a text; it has

    step(view)  takes bytes, of which there is at least one unless it is busy; returns how many
    is_busy     whether what it took makes more than it has given away
    is_whole    whether the bytes may end here
"""

from micropython import const

_PIECE = const(1024)
_KIND, _LENGTH, _BYTES = const(0), const(1), const(2)  # what of a segment comes next
_WINDOW_BITS = const(11)  # at the most: the window is in memory
_SLICE = const(64)  # of heatshrink, which may make some 400 times as much
_SHIFT_MAX = const(24)  # of a number's last byte: none takes more than a small integer


class Number:
    """One that comes byte by byte, its lowest bits first.

    Args:
        bits: of its first byte that are its own: 7, or 6 beside its sign.
        wrong: makes the error where it is too long.
    """

    def __init__(self, bits, wrong):
        self._bits = bits
        self._wrong = wrong
        self._value = self._shift = self._sign = 0

    def add(self, byte):
        """The number if that was its last byte, else None."""
        if self._shift:
            self._value |= (byte & 127) << self._shift
            self._shift += 7
        else:
            self._sign = byte & 64 if self._bits == 6 else 0
            self._value = byte & (1 << self._bits) - 1
            self._shift = self._bits
        if byte & 128:
            if self._shift > _SHIFT_MAX:
                raise self._wrong("a number of more than 4 bytes")
            return None
        self._shift = 0
        return -self._value if self._sign else self._value


class Plain:
    """Of no compression."""

    is_busy = False
    is_whole = True

    def __init__(self, take, wrong):
        self._take = take

    def step(self, view):
        view = view[:_PIECE]
        self._take(view)
        return len(view)


class Crle:
    """Segments: what is repeated as its number and one byte, all else as it stands."""

    def __init__(self, take, wrong):
        self._take = take
        self._wrong = wrong
        self._room = memoryview(bytearray(_PIECE))
        self._length = Number(7, wrong)
        self._state = _KIND
        self._is_repeated = False
        self._left = self._run = 0

    @property
    def is_busy(self):
        return self._run > 0

    @property
    def is_whole(self):
        return self._state == _KIND and not self._run

    def step(self, view):
        if self._run:
            size = min(self._run, _PIECE)
            self._run -= size
            self._take(self._room[:size])
            return 0
        if self._state == _KIND:
            if view[0] > 1:
                raise self._wrong("a segment of kind {}".format(view[0]))
            self._is_repeated = view[0] == 1
            self._state = _LENGTH
            return 1
        if self._state == _LENGTH:
            length = self._length.add(view[0])
            if length is not None:
                self._left = length
                self._state = _BYTES if length or self._is_repeated else _KIND
            return 1
        if self._is_repeated:
            size = min(self._left, _PIECE)
            self._room[:size] = bytes(view[:1]) * size
            self._run = self._left
            self._state = _KIND
            return 1
        view = view[: min(self._left, _PIECE)]
        self._left -= len(view)
        if not self._left:
            self._state = _KIND
        self._take(view)
        return len(view)


class Heatshrink:
    """LZSS by bits: a byte behind a 1, or behind a 0 how far back what follows is, and how long.

    What has come out is in a ring, of which the window is the last part; before it began there were zeros.
    """

    is_busy = False

    def __init__(self, take, wrong):
        self._take = take
        self._wrong = wrong
        self._ring = None
        self._back = self._long = 0  # bits of the two numbers
        self._bits = self._count = 0  # that came and are not used as yet: at most 29
        self._at = 0

    @property
    def is_whole(self):
        return self._ring is not None and self._count < 8  # bits behind the last byte's end are none

    def step(self, view):
        if self._ring is None:
            self._begin(view[0])
            return 1
        view = view[:_SLICE]
        ring, back, long = self._ring, self._back, self._long
        bits, count = self._bits, self._count
        at = start = self._at
        for byte in view:
            bits = bits << 8 | byte
            count += 8
            while count > 8:
                if bits >> count - 1:
                    count -= 9
                    ring[at] = bits >> count & 255
                    at += 1
                    if at == len(ring):
                        self._take(ring[start:])
                        at = start = 0
                elif count > back + long:
                    count -= 1 + back + long
                    pair = bits >> count
                    far, left = (pair >> long) + 1, (pair & (1 << long) - 1) + 1
                    at, start = self._copy(at, start, far, left)
                else:
                    break
                bits &= (1 << count) - 1
        self._bits, self._count, self._at = bits, count, at
        if start < at:
            self._take(ring[start:at])
        return len(view)

    def _begin(self, byte):
        self._back, self._long = (byte >> 4) + 4, (byte & 15) + 3
        if not self._long < self._back <= _WINDOW_BITS:
            raise self._wrong("a window of {} bits, and {}".format(self._back, self._long))
        self._ring = memoryview(bytearray(max(_PIECE, 1 << self._back)))

    def _copy(self, at, start, far, left):
        """Puts `left` bytes of `far` before `at` there. Returns what `at` and `start` are then."""
        ring = self._ring
        size = len(ring)
        origin = (at - far) % size
        while left:
            # No piece overlaps itself: where the text repeats, what is to be copied doubles.
            count = min(left, size - max(at, origin), abs(at - origin) or size)
            if at != origin:
                ring[at : at + count] = ring[origin : origin + count]
            if origin > at or count < at - origin:
                origin = (origin + count) % size
            at += count
            left -= count
            if at == size:
                self._take(ring[start:])
                at = start = 0
        return at, start
