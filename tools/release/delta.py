"""Deltas: patches to a release's file from those that devices have. detools makes, the device proves them.

A delta is not signed: what comes out of it is.
"""

import hashlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.board import images, pack
from tools.board.errors import BoardError
from tools.sim.cpython import micropython

from . import folder
from .folder import Release
from .manifest import APP, HASH_BYTES

# What a device does with a patch is done by its own code; all that needs of MicroPython is `const`.
sys.modules.setdefault("micropython", micropython)
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

from iot.ota.delta import Patch  # noqa: E402

PACKAGE = "detools"
_ID = 16  # of the hexadecimal digits of a base's hash
# Packings of detools, with the bits of heatshrink's two numbers: no window is larger than a device takes.
_PACKINGS = (
    ("crle", 8, 7),
    *(("heatshrink", window, length) for window, length in ((8, 7), (10, 9), (11, 10), (11, 7), (11, 5))),
)


def make(base: bytes, image: bytes) -> bytes:
    """The smallest patch that leads from one image, or pack, to the other; the same bytes on any machine.

    Raises:
        BoardError: detools is missing, or a patch is of no use: too large, or not for a device.
    """
    try:
        import detools  # noqa: PLC0415  it is compiled where it is installed: not everybody can, or needs to
    except ImportError:
        raise BoardError(
            f"Python's package {PACKAGE} is missing, which makes deltas",
            "make setup installs it where there is a C++ compiler; else leave out --base.",
        ) from None
    found = []
    for packing, window, length in _PACKINGS:
        out = io.BytesIO()
        detools.create_patch(
            io.BytesIO(base),
            io.BytesIO(image),
            out,
            compression=packing,
            use_mmap=False,
            heatshrink_window_sz2=window,
            heatshrink_lookahead_sz2=length,
        )
        found.append(out.getvalue())
    patch = min(found, key=len)
    if len(patch) >= len(image):
        raise BoardError(
            f"a delta from {name(base)} has {len(patch):,} bytes, the whole {len(image):,}", "Leave it out."
        )
    check(base, patch, image)
    return patch


def check(base: bytes, patch: bytes, image: bytes) -> None:
    """Raises BoardError unless a device makes this image out of a patch."""
    try:
        why = "another image comes out" if applied(base, patch, len(image)) != image else ""
    except ValueError as error:
        why = f"{error}"
    if why:
        raise BoardError(f"{name(base)}: {why}", "Build it anew, or leave it out.")


def applied(base: bytes, patch: bytes, size: int) -> bytes:
    """What a device makes of it; ValueError where it refuses it."""
    found = bytearray()

    def read(offset: int, view: memoryview) -> None:
        view[:] = base[offset : offset + len(view)]

    made = Patch(read, found.extend, len(base), size)
    made.feed(patch)
    made.finish()
    return bytes(found)


def name(base: bytes) -> str:
    """What the file of a delta from an image is called."""
    return folder.DELTAS.replace("*", hashlib.sha256(base).hexdigest()[:_ID])


def there(place: Path) -> list[Path]:
    """The deltas of a release's folder, by their names."""
    return sorted(place.glob(folder.DELTAS))


def rows(release: Release) -> Iterator[tuple[str, str]]:
    """What there is to say of a release's deltas."""
    for file in there(release.folder):
        size = file.stat().st_size
        yield "delta", f"{file.name}, {size:,} bytes, 1 in {release.manifest.size / max(1, size):,.1f}"


def image(content: bytes, blocks: tuple[int, str] | None) -> bytes:
    """The image of a release's file, behind the hashes of its blocks, and as a device has it."""
    return content[HASH_BYTES * blocks[0] :] if blocks else content


def base(place: Path, kind: str) -> bytes:
    """The image or the pack that devices have, of a release's folder, or of a file. Raises BoardError."""
    called = "pack" if kind == APP else "image"
    if place.is_dir():
        release = folder.load(place)
        if release.manifest.kind != kind or not release.is_whole:
            raise BoardError(f"{place}: no {called}, or not the one of its manifest", "Name another.")
        return image(release.content(), release.manifest.blocks)
    remedy = "Name a release's folder, or its firmware.pack." if kind == APP else images.DOWNLOAD
    try:
        content = place.read_bytes()
    except OSError as error:
        raise BoardError(f"{place}: {error.strerror}", remedy) from None
    if kind != APP:
        return images.application(content, place.name).data
    if not pack.places(lambda start, size: content[start : start + size], len(content)):
        raise BoardError(f"{place}: no pack", remedy)
    return content
