"""What a job has asked for, in flash from one life to the next. In memory for a moment."""

import errno
import json
import os

from micropython import const

from iot.memory import borrow

_FILE = const("/update")
_NEW = const("/update.new")
_MEMBERS = const(5)  # of what is stored
_STARTS_MOST = const(6)  # lives that may try to install it


def is_due(folder, space):
    """Whether what is there is still to be done; `folder` is System.folder, as everywhere here, `space` its
    NVS.
    """
    partitions = borrow("iot.ota.partitions")
    label = partitions.on_trial(space)
    if borrow("iot.ota.slots").on_trial(space) or (label and label == partitions.running()):
        remove(folder)  # a cut came before that
        return False
    if label:  # the bootloader was not told, or what it has started has come to nothing at once
        partitions.end_trial(space, False)
    return True


def store(folder, order, starts=0):
    """Has the next life do it. OSError where flash fails: then nothing has changed.

    order: [text, signatures, url, again]: of an update its manifest; of a root itself, and no URL.
    """
    with open(folder + _NEW, "w") as file:
        json.dump(order + [starts], file)
    os.rename(folder + _NEW, folder + _FILE)


def load(folder):
    """The order that waits, counted as tried once more. ValueError: it is damaged, or was tried too often."""
    with open(folder + _FILE) as file:
        order = json.load(file)
    if not isinstance(order, list) or len(order) != _MEMBERS:
        raise ValueError("the order is damaged")
    starts = order.pop()
    if starts == _STARTS_MOST:
        raise ValueError("not installed in {} starts".format(starts))
    store(folder, order, starts + 1)
    return order


def remove(folder):
    """Nothing waits any more."""
    try:
        os.remove(folder + _FILE)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
