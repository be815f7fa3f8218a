"""Patches as detools lays them out, of parts that a test chooses, right or wrong."""

PLAIN, CRLE, HEATSHRINK = 0, 2, 4


def number(value, bits=6):
    """A number, its lowest bits first; `bits` of its first byte are its own, 7 where it has no sign."""
    size = abs(value)
    first = size & (1 << bits) - 1 | (64 if value < 0 else 0)
    size >>= bits
    found = [first]
    while size:
        found[-1] |= 128
        found.append(size & 127)
        size >>= 7
    return bytes(found)


def part(diff, extra, move):
    """Bytes to be added to the base, new ones, and how far the base's next are from there."""
    return number(len(diff)) + diff + number(len(extra)) + extra + number(move)


def head(way, size, kind=0):
    return bytes((kind << 4 | way,)) + number(size)


def segment(repeated, size, data):
    """Of crle: `size` times a byte, or as many bytes."""
    return bytes((int(repeated),)) + number(size, 7) + data


def crle(data):
    """Packs, six equal bytes and more as a run."""
    found = b""
    at = start = 0
    while at < len(data):
        end = at
        while end < len(data) and data[end] == data[at]:
            end += 1
        if end - at >= 6:
            if start < at:
                found += segment(False, at - start, data[start:at])
            found += segment(True, end - at, data[at : at + 1])
            start = end
        at = end
    return found + (segment(False, at - start, data[start:at]) if start < at else b"")


def heatshrink(tokens, back=8, long=7):
    """Bits: of each token, a byte or (how far back, how long); zeros behind the last."""
    bits = []
    for token in tokens:
        wide = (
            ((1, 1), (token, 8))
            if isinstance(token, int)
            else ((0, 1), (token[0] - 1, back), (token[1] - 1, long))
        )
        for value, count in wide:
            bits += [value >> at & 1 for at in range(count - 1, -1, -1)]
    bits += [0] * (-len(bits) % 8)
    found = bytearray((back - 4 << 4 | long - 3,))
    for at in range(0, len(bits), 8):
        byte = 0
        for bit in bits[at : at + 8]:
            byte = byte << 1 | bit
        found.append(byte)
    return bytes(found)


def expanded(tokens, window):
    """What such tokens mean, one byte after the other."""
    found = bytearray(window)
    for token in tokens:
        if isinstance(token, int):
            found.append(token)
        else:
            for _ in range(token[1]):
                found.append(found[-token[0]])
    return bytes(found[window:])


class Image:
    """A base, and what comes out of a patch to it; it insists on the bounds."""

    def __init__(self, base):
        self.base = base
        self.came = bytearray()
        self.largest = 0

    def read(self, offset, view):
        assert offset >= 0 and len(view) > 0 and offset + len(view) <= len(self.base)
        view[:] = self.base[offset : offset + len(view)]

    def write(self, view):
        assert len(view) > 0
        self.largest = max(self.largest, len(view))
        self.came.extend(view)
