# What the chip's memory has to say: of TLS, and on the console.

import sys

import _world

_ERRORS = {"OSError": OSError, "MemoryError": MemoryError, "ValueError": ValueError}
_STACK = (736, 15360)  # bytes in use, and in all
_BLOCK_BYTES = 16
_second = [None]  # the second terminal


def tls(stage):
    """Raise what TLS does at this stage where the world gives it no memory: "key", "connect", "handshake"."""
    error = _world.call("tls", stage)
    if error:
        raise _ERRORS[error[0]](*error[1:])


def idf_largest():
    """Bytes of the largest free block of ESP-IDF's heap."""
    return max([region[2] for region in _world.call("heap")])


def dupterm(stream_object, index=0):
    """Have `stream_object` repeat the terminal, None for nobody; returns the one before.

    Of all that is printed it gets what `micropython.mem_info` prints.
    """
    if index != 0:
        raise ValueError("invalid dupterm index")
    before, _second[0] = _second[0], stream_object
    return before


def print_info(used, free, split, piece):
    """Print what `micropython.mem_info` does; as there, each number is a write of its own."""
    stack, limit = _STACK
    _print("stack: ", stack, " out of ", limit, "\n")
    _print("GC: total: ", used + free, ", used: ", used, ", free: ", free, ", max new split: ", split, "\n")
    ones, twos = used // 128, used // 512  # of the small blocks nobody knows
    _print(" No. of 1-blocks: ", ones, ", 2-blocks: ", twos, ", max blk sz: ", 256)
    _print(", max free sz: ", piece // _BLOCK_BYTES, "\n")


def _print(*parts):
    for part in parts:
        text = str(part)
        sys.stdout.write(text)
        if _second[0]:
            _second[0].write(bytearray(text.encode()))
