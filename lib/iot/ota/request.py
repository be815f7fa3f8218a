"""What a job "OTA" asks for, on its way to the next life. In memory for a moment.

All judging is for that life: beside an application and the job's document there is no room for it.
"""

import binascii
import hashlib

from micropython import const

from iot.events import within

_READY_MS = const(600000)


def order(document):
    """What iot.ota.pending stores of a job's document. ValueError where that has not what it needs."""
    text = document.get("root") or document.get("manifest")
    signatures, url = document.get("signatures"), document.get("url")
    if "root" in document:
        url = ""
    elif not isinstance(url, str) or not url.startswith("https://"):
        raise ValueError("url: not https://")
    if not isinstance(text, str) or not isinstance(signatures, list):
        raise ValueError("a manifest or a root, and a list of signatures are needed: docs/updates.md")
    return [text, signatures, url, bool(document.get("again"))]


def mark(text):
    """What a job is marked by that is about these bytes."""
    return str(binascii.hexlify(hashlib.sha256(text).digest()), "ascii")


async def make_ready(system):
    """Has the application make ready for its end: its `before_update(thing)` may take ten minutes for it."""
    hook = getattr(system.load_application(), "before_update", None)
    try:
        if hook and not await within(_READY_MS, hook(system.thing)):
            system.log.warning("update", "before_update took more than {} min", _READY_MS // 60000)
    except Exception as error:  # a fault in the old version must not keep the new one away
        system.log.exception("update", "before_update", error)
