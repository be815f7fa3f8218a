"""An image, or a pack, out of a patch to the one that runs: detools' sequential format, as a stream.

In memory for a moment. What comes out is signed, a patch is not: whoever has made it, nothing beside the base
is read, nothing beyond the image is written, and what would go on for ever ends.
"""

from micropython import const

from iot.ota import unpack

_PIECE = const(1024)  # bytes that are read of the base, and written, at once
_SEQUENTIAL = const(0)
_PLAIN, _CRLE, _HEATSHRINK = const(0), const(2), const(4)
_BEGIN, _SIZE, _PACKED = const(0), const(1), const(2)  # where the patch is
_FORMAT, _DIFF, _EXTRA, _MOVE = (
    const(0),
    const(1),
    const(2),
    const(3),
)  # which number is next
_PARTS_MAX = const(30000)  # of some 15 bytes each: who makes more wants to hold the device
_STILL = const(32)  # bytes of a difference that are looked at at once


class Patch:
    """Makes an image of its base, piece by piece; every patch that is wrong is a ValueError.

    Whether that was the right base, and the right patch, only the hash of what came out tells.

    Args:
        read_base: called with an offset and a view, which it fills from the base.
        write: called with a view of what comes out, in its order; it may keep none of it.
        base_size, size: bytes of the base, and of what has to come out, at least one.
    """

    def __init__(self, read_base, write, base_size, size):
        self._read_base = read_base
        self._write = write
        self._base_size = base_size
        self._size = size
        self._room = memoryview(bytearray(_PIECE))
        self._still = bytes(_STILL)
        self._number = unpack.Number(6, self._wrong)
        self._stage = _BEGIN
        self._packed = None
        self._next = _FORMAT
        self._came = self._done = self._from = self._left = self._parts = 0
        self._is_over = False

    def feed(self, view):
        """Takes the patch's next bytes, however many, and writes what they make."""
        view = memoryview(view)
        while view or self.is_busy:
            view = view[self.step(view) :]

    def step(self, view):
        """The same with less at once, some 30 KiB at most come out: a few bytes may be the whole image.

        Args:
            view: a memoryview; it may have no bytes where `is_busy`.

        Returns:
            How many bytes of it were taken.
        """
        if self._stage == _PACKED:
            count = self._packed.step(view)
        else:
            (self._begin if self._stage == _BEGIN else self._sized)(view[0])
            count = 1
        self._came += count
        return count

    @property
    def is_busy(self):
        """Whether what it took makes more than has come out."""
        return self._stage == _PACKED and self._packed.is_busy

    def finish(self):
        """Raises ValueError unless the patch was whole."""
        if not self._is_over or not self._packed.is_whole:
            raise self._wrong("it ends too early")

    def _wrong(self, why):
        text = "patch: {}, behind {} bytes of it and {} of {} of the image"
        return ValueError(text.format(why, self._came, self._done, self._size))

    def _begin(self, byte):
        known = {_PLAIN: unpack.Plain, _CRLE: unpack.Crle, _HEATSHRINK: unpack.Heatshrink}
        if byte >> 4 & 7 != _SEQUENTIAL or byte & 15 not in known:
            raise self._wrong("type {}, compression {}".format(byte >> 4 & 7, byte & 15))
        self._packed = known[byte & 15](self._take, self._wrong)
        self._stage = _SIZE

    def _sized(self, byte):
        size = self._number.add(byte)
        if size is not None:
            if size != self._size:
                raise self._wrong("for an image of {} bytes".format(size))
            self._stage = _PACKED

    def _take(self, view):
        """Takes what was packed: numbers, and the bytes of which they tell."""
        at = 0
        while at < len(view):
            if self._left:
                part = view[at : at + min(self._left, _PIECE)]
                at += len(part)
                self._left -= len(part)
                self._give(self._added(part) if self._next == _EXTRA else part)
            else:
                if self._is_over:
                    raise self._wrong("it goes on behind its end")
                number = self._number.add(view[at])
                at += 1
                if number is not None:
                    self._told(number)

    def _told(self, number):
        """Takes a number: each of an image's parts has three, and behind the first two as many bytes."""
        if self._next == _MOVE:
            self._from += number
            self._parts += 1
            if not 0 <= self._from <= self._base_size or self._parts > _PARTS_MAX:
                raise self._wrong("part {} goes on at {} of the base".format(self._parts, self._from))
            self._is_over = self._done == self._size
        elif self._next == _FORMAT:
            if number:
                raise self._wrong("of a data format")
        else:
            left = self._size - self._done
            if self._next == _DIFF:
                left = min(left, self._base_size - self._from)
            if not 0 <= number <= left:
                raise self._wrong("a part of {} bytes, {} may be".format(number, left))
            self._left = number
        self._next = _DIFF if self._next == _MOVE else self._next + 1

    def _added(self, part):
        """The base's bytes with a difference added to them."""
        room = self._room[: len(part)]
        self._read_base(self._from, room)
        self._from += len(room)
        if part[0] or part[1:] != part[:-1]:  # else they are all 0
            for start in range(0, len(room), _STILL):
                piece = part[start : start + _STILL]
                if piece != self._still:
                    for at, byte in enumerate(piece, start):
                        if byte:
                            room[at] = room[at] + byte & 255
        return room

    def _give(self, view):
        self._done += len(view)
        self._write(view)
