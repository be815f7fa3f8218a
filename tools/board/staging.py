"""Puts what is new on a board, beside the old; the last call makes it valid."""

import base64
from collections.abc import Collection, Iterator

from .changes import folders, sha256
from .errors import BoardError
from .found import FLASH_S, Found, Place
from .progress import Progress
from .repl import Repl

_CHUNK_BYTES = 1536  # 2 KiB of source: little beside the heap, and much beside the cost of a round trip


def stage(
    repl: Repl,
    found: Found,
    files: dict[str, list[bytes]],
    steps: list[str],
    block_bytes: int,
    progress: Progress,
) -> int:
    """Write files and the list of steps that boot.py then carries out.

    Args:
        repl: where on_board.py is defined.
        found: what the board has.
        files: in pieces; those that the board has are copied there.
        steps: as `changes.steps` makes them.
        block_bytes: of the board's file system.
        progress: is told how far it is.

    Returns:
        How many bytes were sent.

    Raises:
        BoardError: it does not fit, or does not read back as it was written.
    """
    staged = {f"deploy/{path}": pieces for path, pieces in files.items()}
    staged["deploy/list.new"] = ["".join(f"{step}\n" for step in steps).encode()]
    new_folders = sorted({folder for path in staged for folder in folders(path)})
    sizes = [sum(map(len, pieces)) for pieces in staged.values()]
    _check_space(repl, sizes, len(new_folders), block_bytes)
    repl.exec(f"make({[f'/{folder}' for folder in new_folders]})", FLASH_S)
    done = sent = 0
    for path, pieces in staged.items():
        repl.exec(f"begin('/{path}')", FLASH_S)
        for piece in found.places(pieces):
            sent += len(piece) if isinstance(piece, bytes) else 0
            for call, size in _calls(piece):
                progress("writing", done, sum(sizes))
                repl.exec(call, FLASH_S)
                done += size
        if repl.exec("end()", FLASH_S).strip() != sha256(pieces):
            raise BoardError(
                f"{repl.port}: /{path} does not read back as it was written",
                "Run this again; if it stays so, the board's flash is worn out.",
            )
    # boot.py has to be there before the list that it reads.
    boot = "os.rename('/deploy/boot.py', '/boot.py')\n" if "boot.py" in files else ""
    repl.exec(f"{boot}os.rename('/deploy/list.new', '/deploy/list')", FLASH_S)
    return sent


def _calls(piece: bytes | Place) -> Iterator[tuple[str, int]]:
    """What gets a piece into the file that was begun, and how many bytes each call adds."""
    if isinstance(piece, Place):
        yield f"copy('{piece.path}', {piece.start}, {piece.size})", piece.size
        return
    for start in range(0, len(piece), _CHUNK_BYTES):
        chunk = piece[start : start + _CHUNK_BYTES]
        yield f"write('{base64.b64encode(chunk).decode()}')", len(chunk)


def _check_space(repl: Repl, sizes: Collection[int], folders: int, block_bytes: int) -> None:
    """Raise BoardError where there is no room for the new files beside the old."""
    blocks = sum(size // (block_bytes - 8) + 1 for size in sizes)
    blocks += 2 * (folders + 2)  # in littlefs a folder takes two, and two more for some files
    free = int(repl.exec("print(os.statvfs('/')[3])", FLASH_S))
    if blocks > free:
        raise BoardError(
            f"{repl.port}: the board's file system is full: {blocks * block_bytes} bytes are needed beside "
            f"the old files, {free * block_bytes} are free",
            "Remove files of your own from the board (mpremote fs ls, mpremote fs rm), or begin anew: "
            "python3 -m tools flash PORT IMAGE",
        )
