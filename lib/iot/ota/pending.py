"""What a job has asked for, in flash from one life to the next. In memory for a moment."""

import errno
import json
import os

from micropython import const

from iot.memory import borrow

_FILE = const("/update")
_NEW = const("/update.new")
_OVER = const("/update.over")
_NOTED = const(3)  # members
_STARTS_MOST = const(8)  # lives that may try to install it


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


def store(folder, order):
    """Has the next life do it. OSError where flash fails: then nothing has changed.

    order: {"job": id, "number": of its execution}, and once the cloud has told more, what iot.ota.request
        makes of its document: "text" of a manifest or a root, "signatures", "url", …
    """
    _write(folder, _FILE, order)


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


def note(folder, order):
    """Has NORMAL know which job the cloud is to be told of, once it is known what has come of it."""
    _write(folder, _OVER, {"job": order["job"], "number": order["number"], "why": None})


def settle(folder, why):
    """Has NORMAL tell why it has failed, with "" that it has succeeded; the last word counts."""
    noted = over(folder)
    if noted and noted["why"] != why:
        noted["why"] = why
        _write(folder, _OVER, noted)


def over(folder):
    """What was noted last, {"job", "number", "why"}; None where the cloud knows, or it is damaged."""
    try:
        with open(folder + _OVER) as file:
            noted = json.load(file)
        return noted if isinstance(noted, dict) and len(noted) == _NOTED else None
    except (OSError, ValueError):
        return None


def forget(folder):
    """The cloud has been told."""
    _remove(folder + _OVER)


def remove(folder):
    """Nothing waits any more."""
    _remove(folder + _FILE)


def _write(folder, name, value):
    with open(folder + _NEW, "w") as file:
        json.dump(value, file)
    os.rename(folder + _NEW, folder + name)


def _remove(path):
    try:
        os.remove(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
