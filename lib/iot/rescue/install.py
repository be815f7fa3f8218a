"""Installs what a job brings: judged by the modules of iot.ota, fetched by code of its own."""

import time

from micropython import const

from iot.rescue import https, link
from iot.rescue.needs import need

_FOLDER = const("/certs")
_BUFFER_BYTES = const(4096)


def modules():
    """What judges and keeps updates; Broken names the first that cannot be imported."""
    need("iot.storage.nvs", "iot.storage.record", "iot.storage.schema", "iot.storage.store")
    need(
        "iot.ota.pending",
        "iot.ota.app",
        "iot.crypto.curve",
        "iot.crypto.hmac256",
        "iot.crypto.der",
        "iot.crypto.p256",
        "iot.ota.forms",
    )
    return need("iot.ota.verify"), need("iot.ota.kept"), need("iot.ota.slots")


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
    verify, kept, _ = modules()
    document, pending = found["jobDocument"], need("iot.ota.pending")
    text, signatures, url = document.get("manifest"), document.get("signatures"), document.get("url")
    root = kept.root(_FOLDER, settings, Log())
    feed()
    if "root" in document:
        kept.keep_root(_FOLDER, await verify.next_root(document["root"], signatures, root))
        return False
    manifest = await verify.manifest(text, signatures, root, kept.counter(space), time.gmtime())
    if manifest["kind"] != "app":
        raise ValueError("kind {}: the rescue installs the application alone".format(manifest["kind"]))
    buffer, size = bytearray(_BUFFER_BYTES), manifest["size"]
    target = need("iot.ota.app").Target(space, manifest, buffer, Log())
    link.tell("version {}: {} of {} bytes are there", manifest["version"], target.start, size)
    try:
        if target.start < size:
            trusted = link.context(root_ca)
            await https.get(url, trusted, target.start, size, buffer, target.write, feed)
    finally:
        target.close()
    feed()
    target.check()
    # The new version tells of it.
    pending.note(_FOLDER, {"job": found["jobId"], "number": found.get("executionNumber")})
    target.begin_trial()
    return True
