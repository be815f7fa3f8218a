"""The update that a job has asked for, in flash from one life to the next. In memory for a moment."""

import json
import os

from micropython import const

from iot.memory import borrow

_FILE = const("/update")
_NEW = const("/update.new")
_STARTS_MOST = const(6)  # lives that may try to install it


def is_due(folder, space):
    """Whether the one that is there is still to be installed; `folder` is System.folder, as everywhere here,
    `space` its NVS.
    """
    if borrow("iot.ota.slots").on_trial(space):  # a cut came before it was removed
        remove(folder)
        return False
    return True


def store(folder, manifest, url, starts=0):
    """Has the next life install this one. OSError where flash fails: then nothing has changed.

    Args:
        manifest: what iot.ota.verify.manifest has returned.
        url: where its file is.
    """
    with open(folder + _NEW, "w") as file:
        json.dump([manifest["text"].decode(), url, starts], file)
    os.rename(folder + _NEW, folder + _FILE)


def load(folder):
    """(manifest, url) of the one that waits, counted as tried once more. ValueError where it is damaged, or
    was tried too often.
    """
    with open(folder + _FILE) as file:
        text, url, starts = json.load(file)
    manifest = borrow("iot.ota.forms").manifest(text)
    if starts == _STARTS_MOST:
        raise ValueError("not installed in {} starts".format(starts))
    store(folder, manifest, url, starts + 1)
    return manifest, url


def remove(folder):
    """None waits any more."""
    try:
        os.remove(folder + _FILE)
    except OSError as error:
        if error.errno != 2:
            raise
