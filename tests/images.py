"""Updates of the image for tests: small ones that ESP-IDF's checks find whole, and their manifests."""

import hashlib
import random
from datetime import UTC, datetime

from patches import CRLE, crle, head, number, part

from tools.release.manifest import BLOCK_BYTES, HASH_BYTES, IMAGE, Manifest, block_hashes
from tools.sim.flash import partition_shim

BOARD = "Generic ESP32 module with ESP32"
FAR = datetime(2040, 1, 1, tzinfo=UTC)


def image(size: int = 200_000, version: str = "2.0", chip: int = 0) -> bytes:
    """One of about `size` bytes, another for each version."""
    content = f"MicroPython {version}\0".encode() + random.Random(version).randbytes(size)
    made: bytes = partition_shim.image(content, chip)
    return made


def changed(image: bytes, old: bytes, new: bytes) -> bytes:
    """Any image with a text in another's place, of as many bytes; ESP-IDF finds it whole."""
    assert len(old) == len(new) and old in image
    made = bytearray(image.replace(old, new)[:-HASH_BYTES])
    for one, other in zip(image[: len(made) - 1], made[:-1], strict=True):
        made[-1] ^= one ^ other
    return bytes(made) + hashlib.sha256(made).digest()


def file_of(image: bytes) -> bytes:
    """What travels: the list of hashes, then the image."""
    return block_hashes(image) + image


def manifest_of(file: bytes, version: str = "2.0", counter: int = 0, **members: object) -> Manifest:
    """What is signed of it."""
    number = -(-len(file) // (BLOCK_BYTES + HASH_BYTES))
    listed = hashlib.sha256(file[: number * HASH_BYTES]).hexdigest()
    told: dict[str, object] = {
        "product": "esp32-iot",
        "kind": IMAGE,
        "version": version,
        "counter": counter,
        "expires": FAR,
        "chip": "ESP32",
        "boards": (BOARD,),
        "size": len(file),
        "sha256": hashlib.sha256(file).hexdigest(),
        "blocks": (number, listed),
    }
    return Manifest(**(told | members))  # type: ignore[arg-type]


def patch(base: bytes, new: bytes, at: int = 0, inserted: bytes = b"") -> bytes:
    """One that leads from an image to another, which at `at` has some bytes more; as detools lays it out."""
    same = at + len(inserted)
    begin = bytes((other - one) % 256 for one, other in zip(base[:at], new[:at], strict=True))
    equal = next((n for n, one in enumerate(base[at:]) if new[same + n : same + n + 1] != bytes((one,))), 0)
    parts = part(begin, inserted, 0) + part(bytes(equal), new[same + equal :], 0)
    return head(CRLE, len(new)) + crle(number(0) + parts)
