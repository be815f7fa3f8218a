"""Which image of MicroPython runs, and the one on trial, which ESP-IDF's bootloader starts once.

A number in NVS says how far a trial has come, a text whose it is. A cut of power may take the number while it
is written: it is written so that the bootloader goes back then, or has done so. `space` is the system's
esp32.NVS, as in iot.ota.slots; all of this raises OSError where flash fails.
"""

import binascii
import hashlib

from micropython import const

from iot.memory import borrow

_PHASE = const("image")
_FACTS = const("image_of")
_FACTS_MAX = const(300)
_NAMES = const("label version counter sha256 mark")
_TRIAL = const(1)
_PASSED = const(2)  # only the bootloader, and the device's counter, have to hear of it
_GIVEN_UP = const(3)
_PAGE = const(4096)
_LABEL = const(4)  # in what Partition.info() gives


def running():
    """The label of the partition that this life runs from."""
    return _running().info()[_LABEL]


def other():
    """The esp32.Partition for the next image; ValueError where the board's flash has none."""
    own = _running()
    try:
        found = own.get_next_update()
    except OSError:
        found = own
    if found.info()[_LABEL] == own.info()[_LABEL]:
        raise ValueError("this board's image has no second slot: it has to be one of those called -OTA")
    return found


def read_running(offset, view):
    """Fills a view with bytes of the image that runs."""
    _running().readblocks(offset // _PAGE, view, offset % _PAGE)


def on_trial(space):
    """The label of what is on trial, "" for none: where it is not the one that runs, its trial has failed."""
    return facts(space).get("label", "") if _phase(space) else ""


def facts(space):
    """What is known of the image on trial, or of the last one that was kept: label, version, counter, sha256
    and mark (`mark_of`); none of them where there is no such image.
    """
    text = borrow("iot.storage.nvs").get_text(space, _FACTS, _FACTS_MAX)
    values = (text or "").split()
    if len(values) != len(_NAMES.split()) or not values[2].isdigit():  # none, or damaged
        return {}
    found = dict(zip(_NAMES.split(), values))  # type: dict # noqa: B905 - MicroPython's takes no more
    found["counter"] = int(found["counter"])
    return found


def mark_of(text):
    """By what the image of a manifest is known."""
    return str(binascii.hexlify(hashlib.sha256(text).digest()), "ascii")


def mark(space):
    """The mark of the image that runs, "" where that is none that came as an update and was kept."""
    found = {} if _phase(space) else facts(space)
    return found["mark"] if found.get("label") == running() else ""


def begin_trial(space, partition, manifest):
    """Has the next start run what is in a partition, an esp32.Partition, and the one after it the one before.

    OSError, too, where ESP-IDF finds that it is no image.
    """
    text = " ".join(
        [
            partition.info()[_LABEL],
            manifest["version"],
            str(manifest["counter"]),
            manifest["sha256"],
            mark_of(manifest["text"]),
        ]
    )
    borrow("iot.storage.nvs").set(space, _FACTS, text.encode())
    _set_phase(space, _TRIAL)
    partition.set_boot()


def has_passed(space):
    """Whether the one on trial is good, and a cut of power came before everybody had heard of it."""
    return _phase(space) == _PASSED


def confirm(space):
    """The image that runs, and is on trial, is to be started from now on; `end_trial` has to follow."""
    _set_phase(space, _PASSED)
    _running().mark_app_valid_cancel_rollback()


def give_up(space):
    """The next start is not to run the one that runs. ValueError where there is none before it."""
    if _phase(space) == _GIVEN_UP:  # the bootloader has no way back by itself, or was told not to go it
        other().set_boot()
    _set_phase(space, _GIVEN_UP)


def is_given_up(space):
    """Whether `give_up` has been called, and the trial not ended since."""
    return _phase(space) == _GIVEN_UP


def end_trial(space, is_kept):
    """Nothing is on trial any more; where that is not kept, the one that runs counts."""
    if not is_kept:
        try:
            _running().mark_app_valid_cancel_rollback()  # `give_up` may have put it on trial itself
        except OSError:  # nobody has
            pass
        borrow("iot.storage.nvs").erase_key(space, _FACTS)
    _set_phase(space, 0)


def _running():
    import esp32

    return esp32.Partition(esp32.Partition.RUNNING)  # type: ignore[arg-type] # the stub wants a label


def _phase(space):
    return borrow("iot.storage.nvs").get_i32(space, _PHASE)


def _set_phase(space, phase):
    borrow("iot.storage.nvs").set(space, _PHASE, phase)
