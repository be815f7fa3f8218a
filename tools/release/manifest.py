"""A manifest, written and read: what is signed of an update. docs/updates.md has the form."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

APP, IMAGE = "app", "image"
LARGEST = {APP: 192 * 1024, IMAGE: 4 * 1024 * 1024}  # bytes of the file
BLOCK_BYTES = 64 * 1024  # of an image, by which it is hashed
HASH_BYTES = 32
COUNTER_MAX = (1 << 31) - 1
BOARDS_MAX = 8
_BYTES_MAX = 2048
_FORM = "1"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_NUMBER = r"0|[1-9][0-9]{0,9}"
PRODUCT = r"[A-Za-z0-9._-]{1,32}"
VERSION = r"[A-Za-z0-9._+-]{1,32}"
_VALUES = {
    "iot-update": _FORM,
    "product": PRODUCT,
    "kind": f"{APP}|{IMAGE}",
    "version": VERSION,
    "counter": _NUMBER,
    "expires": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    "chip": r"[ -~]+",
    "board": r"[ -~]+",
    "micropython": rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})",
    "mpy": r"[ -~]+",
    "size": _NUMBER,
    "sha256": r"[0-9a-f]{64}",
    "blocks": r"[1-9][0-9]{0,2} [0-9a-f]{64}",
}


class FormError(ValueError):
    """What is no manifest, no root or no signature; the text names the line."""


@dataclass(frozen=True)
class Manifest:
    """What is signed of an update.

    Args:
        product: whose devices take it.
        kind: `APP` or `IMAGE`.
        version: of what it installs.
        counter: 0 to `COUNTER_MAX`; a device that has had a higher one refuses it.
        expires: from then on it is refused.
        chip: as the boards' names end.
        boards: `sys.implementation._machine` of those that take it; empty: all with that chip.
        size: bytes of the file.
        sha256: of the file, in hexadecimal.
        micropython: the oldest that runs it, as "1.25.0"; "" for an image.
        mpy: "6", or "6 xtensawin" where there is native code; "" for an image.
        blocks: how many an image has, and the SHA-256 of the list of their hashes; None for an app.
    """

    product: str
    kind: str
    version: str
    counter: int
    expires: datetime
    chip: str
    boards: tuple[str, ...]
    size: int
    sha256: str
    micropython: str = ""
    mpy: str = ""
    blocks: tuple[int, str] | None = None

    def text(self) -> bytes:
        """The bytes that are signed. Raises FormError where a member is none that a device takes."""
        lines = list(self._lines())
        for name, value in lines:
            check(name, value, _VALUES[name])
        self._check()
        return limited("".join(f"{name} {value}\n" for name, value in lines).encode("ascii"))

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "iot-update", _FORM
        yield "product", self.product
        yield "kind", self.kind
        yield "version", self.version
        yield "counter", str(self.counter)
        yield "expires", self.expires.astimezone(UTC).strftime(_TIME).rjust(20, "0")
        yield "chip", self.chip
        for board in self.boards:
            yield "board", board
        if self.kind != IMAGE:
            yield "micropython", self.micropython
            yield "mpy", self.mpy
        yield "size", str(self.size)
        yield "sha256", self.sha256
        if self.blocks:
            yield "blocks", f"{self.blocks[0]} {self.blocks[1]}"

    def _check(self) -> None:
        """What one line alone does not tell."""
        if self.counter > COUNTER_MAX:
            raise FormError(f"counter {self.counter}: at most {COUNTER_MAX}")
        if not 0 < self.size <= LARGEST[self.kind]:
            raise FormError(f"size {self.size}: must be 1 to {LARGEST[self.kind]} for kind {self.kind}")
        if len(self.boards) > BOARDS_MAX:
            raise FormError(f"board: {len(self.boards)} of them, at most {BOARDS_MAX}")
        if self.kind == IMAGE and not self.boards:
            raise FormError("board: an image is for one at least")
        if (self.blocks is None) == (self.kind == IMAGE):
            raise FormError("blocks: an image has them, and nothing else")
        if self.blocks:
            number = self.blocks[0]
            image_bytes = self.size - number * HASH_BYTES
            if image_bytes <= 0 or -(-image_bytes // BLOCK_BYTES) != number:
                raise FormError(f"blocks {number}: not the number that {self.size} bytes have")


def read(text: bytes) -> Manifest:
    """The manifest of these bytes. Raises FormError where it deviates from the form in anything."""
    lines = Lines(limited(text))
    lines.take("iot-update", _FORM)
    product, kind, version, counter, expires, chip = (
        lines.take(name, _VALUES[name])
        for name in ("product", "kind", "version", "counter", "expires", "chip")
    )
    boards = []
    while lines.next == "board":
        boards.append(lines.take("board", _VALUES["board"]))
    is_image = kind == IMAGE
    micropython, mpy = (
        "" if is_image else lines.take(name, _VALUES[name]) for name in ("micropython", "mpy")
    )
    size, sha256 = lines.take("size", _VALUES["size"]), lines.take("sha256", _VALUES["sha256"])
    number, _, digest = lines.take("blocks", _VALUES["blocks"]).partition(" ") if is_image else ("", "", "")
    lines.end()
    manifest = Manifest(
        product,
        kind,
        version,
        int(counter),
        time(expires),
        chip,
        tuple(boards),
        int(size),
        sha256,
        micropython,
        mpy,
        (int(number), digest) if is_image else None,
    )
    if manifest.text() != text:
        raise FormError("not written as a manifest is")
    return manifest


def block_hashes(image: bytes) -> bytes:
    """What an image's file begins with: the SHA-256 of each of its blocks."""
    blocks = (image[at : at + BLOCK_BYTES] for at in range(0, len(image), BLOCK_BYTES))
    return b"".join(hashlib.sha256(block).digest() for block in blocks)


class Lines:
    """The lines of a form, taken one by one."""

    def __init__(self, text: bytes) -> None:
        try:
            decoded = text.decode("ascii")
        except UnicodeDecodeError:
            raise FormError("not ASCII alone") from None
        if not decoded.endswith("\n"):
            raise FormError("its last line has no end")
        self._lines = decoded[:-1].split("\n")

    @property
    def next(self) -> str:
        """The name of the next line."""
        return self._lines[0].partition(" ")[0] if self._lines else ""

    def take(self, name: str, pattern: str) -> str:
        """The value of the next line, which must have this name."""
        if self.next != name:
            found = f"has {self.next[:20]!r}" if self._lines else "ends"
            raise FormError(f"{name}: this line must come, where it {found}")
        value = self._lines.pop(0).partition(" ")[2]
        check(name, value, pattern)
        return value

    def end(self) -> None:
        """Raise FormError where there is more."""
        if self._lines:
            raise FormError(f"{self._lines[0][:20]!r}: nothing more may come")


def check(name: str, value: str, pattern: str) -> None:
    """Raise FormError where a line's value is none."""
    if not re.fullmatch(pattern, value):
        raise FormError(f"{name} {value[:140]!r}: no such value")


def limited(text: bytes, most: int = _BYTES_MAX) -> bytes:
    """The same; FormError where it is longer than a device takes."""
    if len(text) > most:
        raise FormError(f"{len(text)} bytes: at most {most}")
    return text


def time(text: str) -> datetime:
    """The time of a line `expires`. Raises FormError."""
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise FormError(f"expires {text}: no time") from None
