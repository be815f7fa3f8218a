"""What a job "OTA" asks for, looked at before anything stops. In memory for a moment.

Signatures are for the next life: beside an application there is no room for their arithmetic.
"""

import binascii
import hashlib
import sys
import time

from micropython import const

from iot.events import within
from iot.memory import borrow

_READY_MS = const(600000)


def judge(system, document):
    """The order for iot.ota.pending, and what marks the job; (None, "") where there is nothing to be done.

    Raises:
        ValueError: this device must not do it, whoever has signed it; and why.
        OSError: flash fails.
    """
    text, url, settings = document.get("manifest"), document.get("url"), system.settings
    signatures = document.get("signatures")
    if not isinstance(signatures, list):
        raise ValueError("signatures: not a list")
    if "root" in document:
        found = borrow("iot.ota.forms").root(document["root"], settings.PRODUCT)
        return [document["root"], signatures, ""], mark(found["text"])
    if not isinstance(url, str) or not url.startswith("https://"):
        raise ValueError("url: not https://…")
    forms, kept = borrow("iot.ota.forms"), borrow("iot.ota.kept")
    found = forms.manifest(text)
    forms.judge(found, settings.PRODUCT, kept.counter(system.nvs), time.gmtime(), sys.implementation)
    if found["kind"] != "app":
        raise ValueError("kind image: this device takes updates of the application alone")
    slots = borrow("iot.ota.slots")
    if slots.manifest(slots.running()) == found["text"]:
        return None, ""
    if kept.is_refused(system.nvs, found["sha256"]) and not document.get("again"):
        raise ValueError("it has failed here before; again: true has it tried once more")
    if not slots.free(system.nvs):
        raise ValueError("the version that runs is on trial itself")
    return [text, signatures, url], mark(found["text"])


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
