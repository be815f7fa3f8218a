"""What a job "OTA" asks for, judged before anything stops. In memory for a moment."""

import time

from micropython import const

from iot.events import within
from iot.memory import borrow

_READY_MS = const(600000)


async def judge(system, document):
    """The manifest of the update that is asked for; None where there is nothing more to do.

    A new root is kept at once.

    Raises:
        ValueError: it is refused, and why.
        OSError: flash fails.
    """
    kept, verify = borrow("iot.ota.kept"), borrow("iot.ota.verify")
    signatures = document.get("signatures")
    root = kept.root(system.folder, system.settings, system.log)
    if "root" in document:
        kept.keep_root(system.folder, await verify.next_root(document["root"], signatures, root))
        return None
    counter = kept.counter(system.nvs)
    manifest = await verify.manifest(document.get("manifest"), signatures, root, counter, time.gmtime())
    if manifest["kind"] != "app":
        raise ValueError("kind image: this device takes updates of the application alone")
    slots = borrow("iot.ota.slots")
    if slots.manifest(slots.running()) == manifest["text"]:
        return None
    if kept.is_refused(system.nvs, manifest["sha256"]) and not document.get("again"):
        raise ValueError("it has failed here before; again: true has it tried once more")
    if not slots.free(system.nvs):
        raise ValueError("the version that runs is on trial itself")
    borrow("iot.ota.download").split(document.get("url") or "")
    return manifest


async def make_ready(system):
    """Has the application make ready for its end: its `before_update(thing)` may take ten minutes for it."""
    hook = getattr(system.load_application(), "before_update", None)
    try:
        if hook and not await within(_READY_MS, hook(system.thing)):
            system.log.warning("update", "before_update took more than {} min", _READY_MS // 60000)
    except Exception as error:  # a fault in the old version must not keep the new one away
        system.log.exception("update", "before_update", error)
