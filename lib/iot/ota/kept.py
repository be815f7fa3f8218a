"""What a device keeps for updates: the root, whose signatures count, and the counter. In memory for a moment.

The product brings its first root in firmware/update_root.py; what follows on that is kept here. A factory
reset leaves both: with an older root keys would count that were revoked, with a smaller counter versions that
must never come back.
"""

import os

from micropython import const

from iot.memory import borrow

_COUNTER = const("counter")
_COUNTER_BYTES = const(4)
_REFUSED = const("refused")
_HASH_CHARS = const(64)
_COPIES = const(("root0", "root1"))
_BUILT_IN = const("update_root")
_PART = const("root")


def root(folder, settings, log):
    """The root that counts: of those of this product the one of the greatest version.

    Args:
        folder: System.folder, where `keep_root` has put what came.
        settings: the module firmware/settings.py; the product's own root is in the one beside it.
        log: told of one that is damaged.

    Raises:
        ValueError: there is none.
        OSError: flash fails.
    """
    why = "this product has no root: python3 -m tools release root"
    found = []
    for name in (_BUILT_IN,) + _COPIES:
        try:
            text = _built_in(settings) if name == _BUILT_IN else _kept(folder, name)
            if text:
                found.append(borrow("iot.ota.forms").root(text, settings.PRODUCT))
        except ValueError as error:
            why = "{}: {}".format(name, error)
            log.warning("update", "{}", why)
    if not found:
        raise ValueError(why)
    return max(found, key=lambda root: root["version"])


def keep_root(folder, accepted):
    """Keeps a root that iot.ota.verify has returned; OSError where flash is full or fails.

    After that, as after a cut of power, the old or the new one counts; the same one may be kept again.
    """
    credentials = borrow("iot.storage.store").Credentials(folder)
    for name in _COPIES:  # one after the other, each replaced whole
        credentials.save(name, {_PART: accepted["text"]})


def counter(nvs):
    """The device's counter, 0 where there is none yet; `nvs` is an esp32.NVS. OSError where that fails."""
    return int.from_bytes(_record(nvs).load() or b"", "big")


def raise_counter(nvs, to):
    """Raises it to that of an update that is confirmed, 0 to 2,147,483,647; it never goes down.

    OSError where NVS is full or fails: then it is as it was.
    """
    if to > counter(nvs):
        _record(nvs).store(to.to_bytes(_COUNTER_BYTES, "big"))


def refuse(nvs, digest):
    """Remembers the hash of what has failed on this device, in the place of the last one."""
    borrow("iot.storage.nvs").set(nvs, _REFUSED, digest.encode())


def is_refused(nvs, digest):
    """Whether that was the last to fail on this device."""
    return borrow("iot.storage.nvs").get_text(nvs, _REFUSED, _HASH_CHARS) == digest


def _built_in(settings):
    """The text of the product's own root, "" where it has none; the module is let go of."""
    try:
        return borrow(settings.__name__.rpartition(".")[0] + "." + _BUILT_IN).ROOT
    except ImportError:
        return ""


def _kept(folder, name):
    """The text of a copy, "" where there is none; ValueError where it is damaged."""
    parts = borrow("iot.storage.store").Credentials(folder).load(name)
    if parts and _PART in parts:
        return str(parts[_PART], "ascii")
    try:
        os.stat(folder + "/" + name)
    except OSError:
        return ""
    raise ValueError("damaged")


def _record(nvs):
    return borrow("iot.storage.record").Record(nvs, _COUNTER, _COUNTER_BYTES)
