"""What becomes of a version on trial: it counts once it has reached the cloud, and the application is well.

In memory for a moment.
"""

import machine
from micropython import const

from iot.events import within
from iot.memory import borrow
from iot.ota import slots

_TEST_MS = const(60000)
_WATCHDOG = const(3)  # of machine.reset_cause()


async def settle(system, is_reached):
    """Settles the trial of the version that runs, or tells that it has failed."""
    try:
        slot = slots.on_trial(system.nvs)
        if slot:
            await _settle(system, slots, _facts(slot), is_reached)
            return
        partitions = borrow("iot.ota.partitions")
        if partitions.on_trial(system.nvs):
            await _settle(system, partitions, partitions.facts(system.nvs), is_reached)
    except (OSError, ValueError) as error:
        system.log.error("update", "{}", error)


async def _settle(system, part, found, is_reached):
    """The same for one of both kinds.

    Args:
        part: iot.ota.slots or iot.ota.partitions.
        found: version, counter and sha256 of what is on trial; None where that is damaged.
    """
    space, is_image = system.nvs, part != slots
    has_passed = is_image and part.has_passed(space)
    if part.on_trial(space) != part.running():
        why = borrow("iot.probation").reason(space) or _unsaid()
        if has_passed:  # ESP-IDF erases what it changes
            _fail(system, "the power was cut while it was confirmed", None)
        else:
            _fail(system, why, found)
        part.end_trial(space, False)
        return
    if is_image and part.is_given_up(space):
        _go_back(system, part)
        return
    why, is_over = ("", False) if has_passed else await _verdict(system, is_reached)
    if why:
        _fail(system, why, found if is_over or is_image else None)  # an image has but one start
        if is_image:
            part.give_up(space)
        elif is_over:
            part.end_trial(space, False)
        system.restart("the version on trial is given up: " + why)
        return
    borrow("iot.ota.pending").settle(system.folder, "")
    if is_image:
        part.confirm(space)
    borrow("iot.ota.kept").raise_counter(space, found["counter"])
    part.end_trial(space, True)
    system.log.info("update", "version {} counts from now on", found["version"])


def _unsaid():
    """Why a trial has ended, where what was tried has not said it."""
    return "the watchdog bit" if machine.reset_cause() == _WATCHDOG else "it did not reach the cloud"


def _go_back(system, partitions):
    """For a bootloader that has started once more what was given up: it is told what to start."""
    try:
        partitions.give_up(system.nvs)
        system.restart("the image before is to be started")
    except (OSError, ValueError) as error:
        system.log.error("update", "there is no way back: {}", error)
        partitions.end_trial(system.nvs, False)


async def _verdict(system, is_reached):
    """What is wrong with the version that runs, "" for nothing; and whether more starts would not help."""
    if not is_reached:
        return "the cloud was not reached: {}".format(system.unreached), False
    if system.application.failure:
        return "the application: " + system.application.failure, True
    try:
        test = getattr(system.load_application(), "self_test", None)
        if test and not await within(_TEST_MS, test(system.thing)):
            return "self_test took more than {} s".format(_TEST_MS // 1000), True
    except Exception as error:
        return "self_test: {}: {}".format(type(error).__name__, error), True
    return "", False


def _facts(slot):
    """The same of a slot's manifest, which was judged before."""
    text = slots.manifest(slot)
    if not text:
        return None
    found = dict([line.split(" ", 1) for line in str(text, "ascii").split("\n") if " " in line])
    return {"version": found["version"], "counter": int(found["counter"]), "sha256": found["sha256"]}


def _fail(system, why, found):
    """Tells why, and keeps it; found: what is not to be tried again, None for nothing."""
    system.log.error("update", "{}", why)
    borrow("iot.probation").keep_reason(system.nvs, why)
    if found:
        borrow("iot.ota.kept").refuse(system.nvs, found["sha256"])
    try:
        borrow("iot.ota.pending").settle(system.folder, why)
    except OSError as error:  # e.g. what was tried has left no room: the way back does not need any
        system.log.error("update", "{}", error)
