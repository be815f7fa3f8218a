"""What of a deployment is on a board already, as on_board.py tells it."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from . import pack
from .files import DEPENDENCIES
from .repl import Repl

PACK = "firmware.pack"
FLASH_S = 600.0  # littlefs tidies a folder up now and then: a second on a chip, minutes on an emulator
_FORMS = ("", ".py", ".mpy")  # that a module may have, and MicroPython takes the first
_COPIES = ("firmware", "lib/iot")  # modules outside of the pack: older deployments' or a developer's
_OLD_BUILT = "firmware/built.txt"  # only older deployments left that, and with it:
_OLD_PACKAGE = "lib/hmac.mpy"


@dataclass(frozen=True)
class Place:
    """Bytes that the board has in a file."""

    path: str
    start: int
    size: int
    is_deflated: bool = False


class Found:
    """The files that are a deployment's or would be in its way, and the pack's modules.

    Attributes:
        hashes: SHA-256 of each file, by its path.
        folders: those that such files are in, all of them to be removed.
        modules: SHA-256 and place of each file in the pack, by its path there; asked for when needed.
    """

    def __init__(self, repl: Repl) -> None:
        self._repl = repl
        packages = [f"lib/{name}{form}" for name in DEPENDENCIES for form in _FORMS]
        readers = ["pack.py", "pack.mpy", *(f"lib/pack{form}" for form in _FORMS)]  # in /lib it was before
        paths = ["boot.py", "main.py", PACK, *readers, *_COPIES, *packages, _OLD_PACKAGE]
        lines = repl.exec(f"survey({[f'/{path}' for path in paths]})", FLASH_S).splitlines()
        found = [(mark, path.removeprefix("/")) for mark, _, path in (line.partition(" ") for line in lines)]
        self.folders = {path for mark, path in found if mark == "/"}
        self.hashes = {path: mark for mark, path in found if mark != "/"}
        if _OLD_BUILT not in self.hashes:
            self.hashes.pop(_OLD_PACKAGE, None)  # it is somebody else's

    @cached_property
    def modules(self) -> dict[str, tuple[str, Place]]:
        if PACK not in self.hashes:
            return {}
        size = int(self._repl.exec(f"print(os.stat('/{PACK}')[6])", FLASH_S))
        places = pack.places(lambda start, size: self._repl.read_file(f"/{PACK}", start, size), size)
        if not places:
            return {}
        first = next(iter(places.values())).start
        sizes = [place.size for place in places.values()]
        told = self._repl.exec(f"digests('/{PACK}', {first}, {sizes})", FLASH_S).split()
        return {
            path: (digest, Place(f"/{PACK}", place.start, place.size, place.is_deflated))
            for (path, place), digest in zip(places.items(), told, strict=True)
        }

    def take_packages(self) -> dict[str, bytes]:
        """The third-party packages that the board has: those in its pack, or else in /lib.

        Where the pack has them, those in /lib win over them and are left alone: no longer in `hashes`.
        """
        packed = {path: place for path, (_, place) in self.modules.items() if _is_package(path)}
        beside = {path for path in self.hashes if _is_package(path.removeprefix("lib/"))}
        if packed:
            self._leave(beside)
            return {path: self._read(place) for path, place in packed.items()}
        modules = {path for path in beside if path.endswith(".mpy")}
        self._leave(beside - modules)
        return {path.removeprefix("lib/"): self._repl.read_file(f"/{path}") for path in sorted(modules)}

    def places(self, pieces: list[bytes]) -> list[bytes | Place]:
        """The pieces of a file, one behind the other: as places where the board has them, else themselves."""
        known = {digest: (f"/{path}", 0) for path, digest in self.hashes.items()}
        known |= {digest: (place.path, place.start) for digest, place in self.modules.values()}
        joined: list[bytes | Place] = []
        for piece in filter(None, pieces):
            at = known.get(hashlib.sha256(piece).hexdigest())
            new = Place(*at, len(piece)) if at else piece
            last = joined.pop() if joined else b""
            joined += _join(last, new)
        return joined

    def _leave(self, paths: set[str]) -> None:
        for path in paths:
            del self.hashes[path]
            self.folders -= {str(folder) for folder in PurePosixPath(path).parents}

    def _read(self, place: Place) -> bytes:
        data = self._repl.read_file(place.path, place.start, place.size)
        return pack.inflated(data, self._dictionary) if place.is_deflated else data

    @cached_property
    def _dictionary(self) -> bytes:
        """What the board's pack was made with; an older one without."""
        if pack.DICTIONARY not in self.modules:
            return b""
        _, place = self.modules[pack.DICTIONARY]
        return pack.unblocked(self._read(place))


def _is_package(path: str) -> bool:
    return PurePosixPath(path).parts[0].partition(".")[0] in DEPENDENCIES


def _join(one: bytes | Place, two: bytes | Place) -> list[bytes | Place]:
    match one, two:
        case bytes(), bytes():
            return [one + two]
        case Place(path, start, size), Place() if (path, start + size) == (two.path, two.start):
            return [Place(path, start, size + two.size)]
    return [one, two] if one else [two]
