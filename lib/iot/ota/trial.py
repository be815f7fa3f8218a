"""A new version on trial: it counts once it has reached the cloud and the application has found it good."""

import asyncio

from micropython import const

from iot.events import within
from iot.memory import borrow
from iot.ota import slots

_REACH_MS = const(300000)
_TEST_MS = const(60000)
_SETTLED_MS = const(2000)  # an application that fails at its start has failed by then


async def run(system):
    """Settles the trial of the version that runs, or tells that it has failed."""
    partitions = borrow("iot.ota.partitions")
    try:
        if slots.on_trial(system.nvs):
            await _settle(system, slots, _manifest(slots.on_trial(system.nvs)))
        elif partitions.on_trial(system.nvs):
            await _settle(system, partitions, partitions.facts(system.nvs))
    except (OSError, ValueError) as error:
        system.log.error("update", "{}", error)


async def _settle(system, part, found):
    """The same for one of both kinds.

    Args:
        part: iot.ota.slots or iot.ota.partitions.
        found: version, counter and sha256 of what is on trial; None where that is damaged.
    """
    space, is_image = system.nvs, part != slots
    has_passed = is_image and part.has_passed(space)
    if part.on_trial(space) != part.running():
        why = borrow("iot.probation").reason(space) or "it did not reach the cloud"
        if has_passed:  # ESP-IDF erases what it changes
            _fail(system, "the power was cut while it was confirmed", None)
        else:
            _fail(system, why, found)
        part.end_trial(space, False)
        return
    if is_image and part.is_given_up(space):
        _go_back(system, part)
        return
    why, is_over = ("", False) if has_passed else await _verdict(system)
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


def _go_back(system, partitions):
    """For a bootloader that has started once more what was given up: it is told what to start."""
    try:
        partitions.give_up(system.nvs)
        system.restart("the image before is to be started")
    except (OSError, ValueError) as error:
        system.log.error("update", "there is no way back: {}", error)
        partitions.end_trial(system.nvs, False)


async def _verdict(system):
    """What is wrong with the version that runs, "" for nothing; and whether more starts would not help."""
    came = asyncio.Event()

    def handler(session):
        came.set()

    system.events.on("cloud_up", handler)
    try:
        if not await within(_REACH_MS, came.wait()):
            return "the cloud was not reached: {}".format(system.unreached), False
    finally:
        system.events.off("cloud_up", handler)
    await asyncio.sleep_ms(_SETTLED_MS)
    if system.application.failure:
        return "the application: " + system.application.failure, True
    try:
        test = getattr(system.load_application(), "self_test", None)
        if test and not await within(_TEST_MS, test(system.thing)):
            return "self_test took more than {} s".format(_TEST_MS // 1000), True
    except Exception as error:
        return "self_test: {}: {}".format(type(error).__name__, error), True
    return "", False


def _manifest(slot):
    """What a slot's says, None where it is not whole."""
    text = slots.manifest(slot)
    return text and borrow("iot.ota.forms").manifest(str(text, "ascii"))


def _fail(system, why, found):
    """Tells why, and keeps it; found: what is not to be tried again, None for nothing."""
    system.log.error("update", "{}", why)
    borrow("iot.probation").keep_reason(system.nvs, why)
    borrow("iot.ota.pending").settle(system.folder, why)
    if found:
        borrow("iot.ota.kept").refuse(system.nvs, found["sha256"])
