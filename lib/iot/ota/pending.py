"""What a job has asked for, in flash from one life to the next. In memory for a moment."""

import errno
import json
import os

from micropython import const

from iot.memory import borrow

_FILE = const("/update")
_NEW = const("/update.new")
_STARTS_MOST = const(8)  # lives that may try to install it


def is_due(folder, space):
    """Whether what is there is still to be done; `folder` is System.folder, as everywhere here, `space` its
    NVS.
    """
    if borrow("iot.ota.slots").on_trial(space):  # a cut came before it was removed
        remove(folder)
        return False
    return True


def store(folder, order):
    """Has the next life do it. OSError where flash fails: then nothing has changed.

    order: {"job": id, "number": of its execution}, and once the cloud has told more, what iot.ota.request
        makes of its document: "text" of a manifest or a root, "signatures", "url", …
    """
    with open(folder + _NEW, "w") as file:
        json.dump(order, file)
    os.rename(folder + _NEW, folder + _FILE)


def load(folder):
    """The order that waits, counted as tried once more. ValueError: it is damaged, or was tried too often."""
    with open(folder + _FILE) as file:
        order = json.load(file)
    if not isinstance(order, dict) or "job" not in order:
        raise ValueError("the order is damaged")
    starts = order.get("starts", 0)
    if starts == _STARTS_MOST:
        raise ValueError("not installed in {} starts".format(starts))
    order["starts"] = starts + 1
    store(folder, order)
    return order


def remove(folder):
    """Nothing waits any more."""
    try:
        os.remove(folder + _FILE)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
