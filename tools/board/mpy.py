"""The names in a compiled module, an .mpy of version 6 (MicroPython's py/persistentcode.c)."""

from collections.abc import Iterator, Mapping

NOBODY = 8  # the number of "_", which MicroPython has in ROM, and nobody calls anything
_HEADER_SIZE = 4  # version, architecture, bits of small integers
_NAME_BYTES, _WORD_BYTES, _BLOCK_BYTES = 2, 4, 16  # in a chip's memory, and of its heap


def table(module: bytes) -> list[bytes]:
    """The names in an .mpy that MicroPython has not in ROM, in their order."""
    return [module[start:end] for start, end in _places(module)]


def renamed(module: bytes, names: Mapping[bytes, int | bytes]) -> bytes:
    """An .mpy in which each name that is a key is another: that text, or the one in ROM with that number."""
    parts, done = [], 0
    for start, end in _places(module):
        if (new := names.get(module[start:end])) is not None:
            text = b"" if isinstance(new, int) else new + b"\0"
            number = new << 1 | 1 if isinstance(new, int) else len(new) << 1
            parts += [module[done : start - len(_bytes(end - start << 1))], _bytes(number), text]
            done = end + len(b"\0")
    return b"".join([*parts, module[done:]])


def _bytes(number: int) -> bytes:
    """A number below 16384 as an .mpy has it."""
    return bytes((number,)) if number < 128 else bytes((number >> 7 | 128, number & 127))


def _places(module: bytes) -> Iterator[tuple[int, int]]:
    """Where in an .mpy its names are, but for those that MicroPython has in ROM."""
    return ((start, end - 1) for start, end in _entries(module) if end > start)


def _entries(module: bytes) -> Iterator[tuple[int, int]]:
    """Where its names are, each with its zero; nothing of one in ROM, of which there is the number alone."""
    count, at = _number(module, _HEADER_SIZE)
    _, end = _number(module, at)  # of objects
    for _ in range(count):
        length, start = _number(module, end)
        end = start if length & 1 else start + (length >> 1) + 1
        yield start, end


def _number(module: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    number = 0
    while True:
        number = number << 7 | module[at] & 127
        at += 1
        if not module[at - 1] & 128:
            return number, at


def apart(module: bytes) -> bytes:
    """An .mpy that keeps nothing in memory but itself: where need be with names more, which nobody means.

    MicroPython has the table of a module's objects behind that of its names, in one piece. Where there is
    none, and the names fill theirs to the last byte, its address is that of whatever lies behind, which so is
    never garbage for as long as the module is there: another module, with all its code.
    """
    names, at = _number(module, _HEADER_SIZE)
    objects, start = _number(module, at)
    words = -(-names * _NAME_BYTES // _WORD_BYTES)
    if objects or words * _WORD_BYTES % _BLOCK_BYTES:
        return module
    *_, (_, end) = _entries(module)
    more = words * _WORD_BYTES // _NAME_BYTES + 1 - names
    head = module[:_HEADER_SIZE] + _bytes(names + more) + _bytes(objects)
    return head + module[start:end] + more * _bytes(NOBODY << 1 | 1) + module[end:]
