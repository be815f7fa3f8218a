"""Makes the dictionary of packs, which lib/pack.py and pack.py tell of, from the library as it is.

`.venv/bin/python3 -m tools.board.dictionary` writes dictionary.bin anew. Not at each change: all modules that
are deflated with it change with it, and a deployment sends them all.
"""

import itertools

import zstandard

from . import pack
from .files import ROOT, compile_for_chip, library_files, path_in_pack

# What COVER is asked for, in bytes: in all, with tables in front that deflate has no use for; of the pieces
# that it is made of; and of what is counted to choose those. Which does best changes with the library.
_TRAINED_BYTES = (640, 704, 768)
_PIECE_BYTES = (200, 300, 400)
_COUNTED_BYTES = (6, 8)
# The device reads all of it for each module. Measured: 640 bytes make a pack no smaller.
SIZE = 512


def library() -> dict[str, bytes]:
    """The library's modules, compiled, by their paths in a pack."""
    sources = ((file.as_posix(), (ROOT / file).read_bytes()) for file in library_files())
    return {path_in_pack(name): compile_for_chip(source, name) for name, source in sources if source}


def trained(modules: dict[str, bytes]) -> bytes:
    """The dictionary that makes the smallest pack of these: the same modules make the same bytes."""
    samples: list[bytes | bytearray | memoryview] = [
        data for path, data in sorted(modules.items()) if path not in pack.in_a_start()
    ]
    ways = itertools.product(_TRAINED_BYTES, _PIECE_BYTES, _COUNTED_BYTES)
    made = [zstandard.train_dictionary(size, samples, k=k, d=d).as_bytes()[-SIZE:] for size, k, d in ways]
    return min(made, key=lambda dictionary: packed_bytes(modules, dictionary))


def packed_bytes(modules: dict[str, bytes], dictionary: bytes) -> int:
    """What the modules take in a pack with this dictionary."""
    return sum(len(data) for _, data in pack.files(modules, dictionary))


def main() -> None:
    """Write the file."""
    pack.DICTIONARY_FILE.write_bytes(trained(library()))


if __name__ == "__main__":
    main()
