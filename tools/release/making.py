"""Makes a release's files: the same input gives the same bytes, on any machine."""

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tools.board import files, images, pack, packages, settings
from tools.board.errors import BoardError
from tools.board.progress import Progress

from . import delta
from .folder import CONTENT, MANIFEST, SBOM
from .manifest import APP, HASH_BYTES, LARGEST, FormError, Manifest, block_hashes
from .sbom import bill

CHIPS = images.ARCHITECTURES
_NATIVE = {
    9: "xtensa",
    10: "xtensawin",
    11: "rv32imc",
}  # in an .mpy of version 6, from its third byte's bit 2 on
_METADATA_VERSION = re.compile(r"\bversion\s*=\s*[\"']([^\"']+)")


@dataclass(frozen=True)
class Source:
    """Where a release's parts are taken from, beside this checkout.

    Args:
        image: MicroPython's file, where it is an update of the image.
        packages: a folder with aioble.
        index: URL of a package index in its place; neither: micropython-lib's.
        with_packages: False: without aioble.
        bases: what devices have, from which there is to be a delta, as `delta.base` takes it.
    """

    image: Path | None = None
    packages: Path | None = None
    index: str | None = None
    with_packages: bool = True
    bases: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What a release is to be; members as a manifest's.

    Args:
        made: the time that its bill of materials tells, if any.
    """

    product: str
    kind: str
    version: str
    counter: int
    expires: datetime
    chip: str = ""
    boards: tuple[str, ...] = ()
    micropython: str = ""
    made: datetime | None = None
    source: Source = field(default_factory=Source)


def make(wanted: Wanted, progress: Progress) -> dict[str, bytes]:
    """A release's files by their names, what is signed first.

    Raises:
        BoardError: something does not compile, is missing, is too large, or no manifest can say it.
    """
    content, members = _app(wanted, progress) if wanted.kind == APP else _image(wanted)
    if len(content) > LARGEST[wanted.kind]:
        raise BoardError(
            f"{CONTENT[wanted.kind]}: {len(content):,} bytes, {LARGEST[wanted.kind]:,} may be",
            "Leave something out: python3 -m tools size --modules tells what is large.",
        )
    manifest = Manifest(
        wanted.product,
        wanted.kind,
        wanted.version,
        wanted.counter,
        wanted.expires,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        **members,
    )
    try:
        text = manifest.text()
    except FormError as error:
        raise BoardError(
            f"no manifest can say this: {error}", "docs/updates.md tells what each line takes."
        ) from None
    found = {MANIFEST: text, CONTENT[wanted.kind]: content, SBOM: bill(manifest, content, wanted.made)}
    for place in wanted.source.bases:
        progress("making a delta", 0, 0)
        base = delta.base(place, wanted.kind)
        found[delta.name(base)] = delta.make(base, delta.image(content, manifest.blocks))
    return found


def _app(wanted: Wanted, progress: Progress) -> tuple[bytes, dict[str, Any]]:
    """The pack that deploy writes, and what the manifest says of it."""
    files.check_list()
    settings.check()
    chip = wanted.chip or "ESP32"
    if chip not in CHIPS:
        raise BoardError(f"{chip}: no chip that is known", f"These are: {', '.join(CHIPS)}.")
    progress("compiling", 0, 0)
    _, modules = files.compiled(CHIPS[chip])
    version = files.mpy_version()
    if wanted.source.with_packages:
        progress("getting packages", 0, 0)
        modules |= _packages(wanted.source, version, CHIPS[chip])
    native = {_NATIVE.get(module[2] >> 2, "another") for module in modules.values() if module[2] >> 2}
    try:
        content = pack.pack(modules)
    except ValueError as error:
        raise BoardError("no pack can be made of these modules", str(error)) from None
    return content, {
        "chip": chip,
        "boards": wanted.boards,
        "micropython": wanted.micropython,
        "mpy": " ".join([str(version), *sorted(native)]),
    }


def _packages(source: Source, mpy_version: int, architecture: str) -> dict[str, bytes]:
    if source.packages is None:
        return packages.from_index(mpy_version, source.index)
    for name, version in files.DEPENDENCIES.items():
        for about in source.packages.rglob(f"{name}/manifest.py"):
            told = _METADATA_VERSION.search(about.read_text("utf-8"))
            if told and told[1] != version:
                raise BoardError(f"{about}: {name} {told[1]}, a release has {version}", "Take that version.")
    return packages.from_folder(source.packages, mpy_version, architecture)


def _image(wanted: Wanted) -> tuple[bytes, dict[str, Any]]:
    """The list of an image's hashes and the image, and what the manifest says of it."""
    path = wanted.source.image
    if path is None:
        raise BoardError("an update of the image needs MicroPython's file", "Name it: --image FILE.bin.")
    try:
        found = images.application(path.read_bytes(), path.name)
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}", images.DOWNLOAD) from None
    chip = wanted.chip or found.board.rpartition(" with ")[2]
    boards = wanted.boards or ((found.board,) if found.board else ())
    if not boards:
        raise BoardError(f"{path}: does not say for which board it is", "Say it: --board NAME.")
    hashes = block_hashes(found.data)
    listed = (len(hashes) // HASH_BYTES, hashlib.sha256(hashes).hexdigest())
    return hashes + found.data, {"chip": chip, "boards": boards, "blocks": listed}


def other_zlib() -> str:
    """This Python's zlib, where that is one that deflates to other bytes than zlib does; else ""."""
    return zlib.ZLIB_RUNTIME_VERSION if "ng" in zlib.ZLIB_RUNTIME_VERSION else ""
