"""Installs what a job brings: judged by the modules of iot.ota, fetched by code of its own."""

import binascii
import hashlib
import time

from micropython import const

from iot.rescue import https, link
from iot.rescue.needs import need

_FOLDER = const("/certs")
_BUFFER_BYTES = const(4096)
_SAFE_BYTES = const(32768)
_STARTS = const(3)  # of the new version, to reach the cloud


def modules():
    """What judges and keeps updates; Broken names the first that cannot be imported."""
    need("iot.storage.nvs", "iot.storage.record", "iot.storage.schema", "iot.storage.store")
    need(
        "iot.ota.pending",
        "iot.crypto.curve",
        "iot.crypto.hmac256",
        "iot.crypto.der",
        "iot.crypto.p256",
        "iot.ota.forms",
    )
    return need("iot.ota.verify"), need("iot.ota.kept"), need("iot.ota.slots")


class Safe:
    """A file of which a cut takes little: littlefs keeps nothing that is neither flushed nor closed."""

    def __init__(self, file):
        self._file = file
        self._unsafe = 0

    def write(self, view):
        self._file.write(view)
        self._unsafe += len(view)
        if self._unsafe >= _SAFE_BYTES:
            self._file.flush()
            self._unsafe = 0


class Log:
    """What iot.ota tells of a damaged root."""

    def warning(self, area, text, *values):
        link.tell(area + ": " + text, *values)


def settle_trial(space):
    """Ends a trial that has failed: its version is not tried again unless a job says so."""
    _, kept, slots = modules()
    slot = slots.on_trial(space)
    if slot and slot != slots.running():
        text = slots.manifest(slot)
        if text:
            kept.refuse(space, need("iot.ota.forms").manifest(str(text, "ascii"))["sha256"])
        slots.end_trial(space, False)


def has_failed(space, text):
    """Why the version of this manifest need not be tried again, None where it may do."""
    _, kept, slots = modules()
    if slots.running() and slots.manifest(slots.running()) == text.encode():
        return "this version counts, and does not start or not reach the cloud"
    try:
        digest = need("iot.ota.forms").manifest(text)["sha256"]
    except ValueError as error:
        return str(error)
    return "it did not start, or did not reach the cloud" if kept.is_refused(space, digest) else None


async def install(space, settings, found, root_ca, feed):
    """Does what a job "OTA" asks for; True where the next start is to try a new version.

    Args:
        space: the esp32.NVS.
        settings: the module firmware/settings.py.
        found: the job's execution; its document is that of docs/updates.md.
        root_ca: of the configuration.
        feed: feeds the watchdog.

    Raises:
        ValueError: it is refused, for good.
        OSError: flash, or the way to the file, may do better the next time.
    """
    verify, kept, slots = modules()
    document, pending = found["jobDocument"], need("iot.ota.pending")
    text, signatures, url = document.get("manifest"), document.get("signatures"), document.get("url")
    root = kept.root(_FOLDER, settings, Log())
    feed()
    if "root" in document:
        kept.keep_root(_FOLDER, await verify.next_root(document["root"], signatures, root))
        return False
    manifest = await verify.manifest(text, signatures, root, kept.counter(space), time.gmtime())
    slot, size = slots.free(space), manifest["size"]
    if manifest["kind"] != "app":
        raise ValueError("kind {}: the rescue installs the application alone".format(manifest["kind"]))
    if not slot:
        raise ValueError("no slot is free")
    path, start = slots.prepare(slot, size)
    link.tell("version {}: {} of {} bytes are there", manifest["version"], start, size)
    buffer = bytearray(_BUFFER_BYTES)
    if start < size:
        with open(path, "ab") as file:  # noqa: ASYNC230 - there is no other way
            take = Safe(file).write
            await https.get(url, link.context(root_ca), start, size, buffer, take, feed)
    digest = _digest(path, buffer, feed)  # of what flash has: not all that is written can be read
    if digest != manifest["sha256"]:
        slots.clear(slot)
        told = "the file's hash begins with {}, not with {} (arbitrary software)"
        error = OSError if start else ValueError  # what came before may be torn
        raise error(told.format(digest[:16], manifest["sha256"][:16]))
    # The new version tells of it.
    pending.note(_FOLDER, {"job": found["jobId"], "number": found.get("executionNumber")})
    slots.seal(slot, manifest["text"])
    slots.begin_trial(space, slot, _STARTS)
    return True


def _digest(path, buffer, feed):
    digest, room = hashlib.sha256(), memoryview(buffer)
    with open(path, "rb") as file:
        while count := file.readinto(room):
            digest.update(room[:count])
            feed()
    return str(binascii.hexlify(digest.digest()), "ascii")
