"""Whether what is signed counts: which roots judge it, how far it is signed, and whether it is whole."""

import hashlib
from datetime import UTC, datetime

from tools.board.errors import BoardError

from .folder import Release
from .manifest import HASH_BYTES, Manifest, block_hashes
from .roots import Root
from .signatures import Standing, standing


def standings(release: Release, root: Root) -> list[Standing]:
    """How far a release is signed: an update by the root that counts, a root by that and by itself.

    Raises BoardError where it is for another product, or no root that follows.
    """
    signed = release.signed
    if signed.product != root.product:
        raise BoardError(
            f"{release.folder}: for product {signed.product}, the root is for {root.product}",
            "Name its root: --root FILE.",
        )
    if isinstance(signed, Manifest) or signed == root:
        judges = [root]
    elif signed.version == root.version + 1:
        judges = [root, signed]
    else:
        raise BoardError(
            f"{release.folder}: root {signed.version}; after root {root.version} comes {root.version + 1}",
            "Make it anew: python3 -m tools release root rotate.",
        )
    return [standing(one, release.text, release.signatures) for one in judges]


def faults(release: Release) -> list[str]:
    """Why no device takes an update, whoever has signed it."""
    manifest, found = release.manifest, []
    if manifest.expires <= datetime.now(UTC):
        found.append(f"it has expired, at {manifest.expires:%Y-%m-%d %H:%M:%S} UTC")
    if not release.is_whole:
        found.append(f"{release.content_path.name} is not the file of the manifest")
    elif manifest.blocks and not _lists(release.content(), *manifest.blocks):
        found.append("its list of hashes is not that of its blocks")
    return found


def _lists(content: bytes, number: int, digest: str) -> bool:
    """Whether an image's file begins with the hashes of its blocks."""
    hashes = content[: number * HASH_BYTES]
    return hashlib.sha256(hashes).hexdigest() == digest and hashes == block_hashes(content[len(hashes) :])
