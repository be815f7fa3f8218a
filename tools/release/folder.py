"""A release as a folder: what is signed, the signatures, the file that devices get, its bill of materials."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.board.errors import BoardError, writing

from . import manifest, roots, signatures
from .manifest import APP, IMAGE, FormError, Manifest
from .roots import Root
from .signatures import Signature

MANIFEST, ROOT, SIGNATURES, SBOM = "manifest", "root", "signatures", "sbom.json"
DELTAS = "delta-*.patch"
CONTENT = {APP: "firmware.pack", IMAGE: "firmware.bin"}
_REMEDY = "Name a folder that build or root rotate has made."


@dataclass(frozen=True)
class Release:
    """What is in a folder: an update, or a root that follows another.

    Attributes:
        folder: where it is.
        text: what is signed.
        signed: the same, read.
        signatures: those it has, good or not.
    """

    folder: Path
    text: bytes
    signed: Manifest | Root
    signatures: list[Signature]

    @property
    def manifest(self) -> Manifest:
        """An update's; BoardError where it is a root."""
        if isinstance(self.signed, Manifest):
            return self.signed
        raise BoardError(f"{self.folder}: a root, no update", "Name a folder that build has made.")

    @property
    def signed_path(self) -> Path:
        """The file whose bytes are signed."""
        return self.folder / (MANIFEST if isinstance(self.signed, Manifest) else ROOT)

    @property
    def content_path(self) -> Path:
        """The file that devices get."""
        return self.folder / CONTENT[self.manifest.kind]

    def content(self) -> bytes:
        """That file's bytes; BoardError where it is not there."""
        return read_file(self.content_path)

    @property
    def is_whole(self) -> bool:
        """Whether that file is the one of the manifest."""
        content = self.content()
        digest = hashlib.sha256(content).hexdigest()
        return (len(content), digest) == (self.manifest.size, self.manifest.sha256)


def name(product: str, version: str, kind: str) -> str:
    """What a release's folder is called."""
    return f"{product}-{version}{'-image' if kind == IMAGE else ''}"


def load(place: Path) -> Release:
    """The release in a folder, or the one of a manifest or root. Raises BoardError."""
    folder, name = (place, "") if place.is_dir() else (place.parent, place.name)
    if not name:
        name = ROOT if (folder / ROOT).exists() and not (folder / MANIFEST).exists() else MANIFEST
    text = read_file(folder / name)
    try:
        signed = roots.read(text) if text.startswith(b"iot-root ") else manifest.read(text)
    except FormError as error:
        raise BoardError(f"{folder / name}: {error}", "It was damaged, or made by another version.") from None
    file = folder / SIGNATURES
    try:
        lines = read_file(file).decode("ascii").splitlines() if file.exists() else []
        found = signatures.read(lines)
    except ValueError as error:
        raise BoardError(f"{file}: {error}", "Delete it, and sign anew.") from None
    return Release(folder, text, signed, found)


def read_file(path: Path) -> bytes:
    """A release's file. Raises BoardError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}", _REMEDY) from None


def save(folder: Path, files: dict[str, bytes]) -> None:
    """Write what was made, other deltas go. Raises BoardError, also where something else is signed there."""
    signed = next((name for name in files if (folder / name).exists()), "")
    if signed and (folder / SIGNATURES).exists() and read_file(folder / signed) != files[signed]:
        raise BoardError(
            f"{folder}: something else is signed there", "Give this another version, or delete that folder."
        )
    for name, data in files.items():
        write(folder / name, data)
    for file in folder.glob(DELTAS):
        if file.name not in files:
            with writing(file):
                file.unlink()


def write_signatures(folder: Path, found: Iterable[Signature]) -> None:
    """Put the signatures into the place of those that are there."""
    write(folder / SIGNATURES, "".join(f"{one}\n" for one in found).encode())


def write(path: Path, data: bytes) -> None:
    """A file, whole or not at all. Raises BoardError."""
    partial = path.with_name(path.name + ".part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        os.replace(partial, path)
