"""What an order comes to: a file and where that goes, or nothing more to be done. In memory for a moment."""

import sys
import time

from micropython import const

from iot.memory import borrow

_EXPIRED = const((401, 403, 410))  # what a server says to a URL whose time is over


async def judge(order, folder, space, settings, log, buffer):
    """Judges it, while nothing else needs memory; a root that is good is kept.

    Args:
        order: as iot.ota.pending gives it; of one that comes as a whole the texts are taken out.
        folder, settings, log: the System's.
        space: the esp32.NVS.
        buffer: a bytearray, for the target.

    Returns:
        The target; the version; the URL of what is to come, and its size; whether that is a patch. None for
        the target where there is nothing to come: what has come of it takes the version's place.

    Raises:
        ValueError: it is refused, for good.
        OSError: flash fails.
    """
    kept, verify = borrow("iot.ota.kept"), borrow("iot.ota.verify")
    text, signatures, url = order["text"], order["signatures"], order["url"]
    root = kept.root(folder, settings, log)
    if not url and not order["stream"]:
        kept.keep_root(folder, await verify.next_root(text, signatures, root))
        return None, "another root counts", None, False
    counter = kept.counter(space)
    if "size" in order:  # of AWS's own jobs alone
        made = space, order, buffer, log, settings, root, counter, sys.implementation
        return borrow("iot.ota.afr").Target(*made), text, (url, order["size"]), False
    if _runs(space, text.encode()):
        return None, "it runs already", None, False
    found = await verify.manifest(text, signatures, root, counter, time.gmtime())
    if kept.is_refused(space, found["sha256"]) and not order["again"]:
        raise ValueError("it has failed here before; again: true has it tried once more")
    delta, version = order.get("delta"), found["version"]
    if delta:
        try:
            target = borrow("iot.ota.patched").Patched(space, found, buffer, log, delta)
            return target, version, (delta["url"], delta["size"]), True
        except ValueError as error:
            log.warning("update", "the whole file comes, not the delta: {}", error)
    del order["text"], order["signatures"]  # they are of no use any more, and large
    target = borrow("iot.ota.image" if found["kind"] == "image" else "iot.ota.app").Target
    return target(space, found, buffer, log), version, (url, found["size"]), False


def _runs(space, text):
    """Whether the version, or the image, of a manifest does, and counts."""
    partitions, slots = borrow("iot.ota.partitions"), borrow("iot.ota.slots")
    is_image = partitions.mark(space) == partitions.mark_of(text)
    return is_image or slots.manifest(slots.running()) == text


def again(error, order, folder, space, is_patch):
    """Changes the order and raises OSError where another life will do better than this one, else `error`.

    Args:
        error: a ValueError, why what was to come is not installed.
        the others: as for `judge`.
        is_patch: as that has returned it.
    """
    starts = order["starts"]
    # Nobody has another URL where a job came with all that there is.
    if getattr(error, "status", 0) in _EXPIRED and order.get("asked", starts - 1) + 1 != starts:
        names = ["job", "number", "starts"]
        text = "status {}: the next life asks for another URL".format(error.status)
    elif is_patch:
        borrow("iot.ota.patched").remove()
        slots = borrow("iot.ota.slots")
        slot = slots.free(space)
        if slot:  # what the patch has made there is no part of the whole
            slots.clear(slot)
        names = [name for name in order if name != "delta"]
        text = "the delta: {}: the next life gets the whole file".format(error)
    else:
        raise error
    borrow("iot.ota.pending").store(folder, {name: order[name] for name in names})
    raise OSError(text)
