"""A new version on trial: it counts once it has reached the cloud and the application has found it good."""

import asyncio

from micropython import const

from iot.events import within
from iot.memory import borrow
from iot.ota import slots

_REACH_MS = const(300000)
_TEST_MS = const(60000)
_SETTLED_MS = const(2000)  # an application that fails at its start has failed by then
_VERSION = const("version ")
_VERSION_AT = const(3)  # of a manifest's lines


async def run(system):
    """Settles the trial of the version that runs, or tells that it has failed."""
    space = system.nvs
    slot = slots.on_trial(space)
    try:
        if slot == slots.running():
            why, is_over = await _verdict(system)
            if why:
                _fail(system, why, is_over)
                system.restart("the version on trial is given up: " + why)
                return
            manifest = _manifest(slot)  # whole, or this would not run
            borrow("iot.ota.kept").raise_counter(space, manifest["counter"])
            slots.end_trial(space, True)
            system.log.info("update", "version {} counts from now on", manifest["version"])
        elif slot:
            _fail(system, borrow("iot.probation").reason(space) or "it did not reach the cloud", True)
    except (OSError, ValueError) as error:
        system.log.error("update", "{}", error)


def outcome(system, mark):
    """Why what was signed does not count on this device, "" where it does: a manifest, or a root.

    mark: as iot.ota.pending makes it.
    """
    text = slots.manifest(slots.running()) if slots.running() else None
    version = text and text.split(b"\n")[_VERSION_AT][len(_VERSION) :]  # by which AWS's own jobs are marked
    try:
        root = borrow("iot.ota.kept").root(system.folder, system.settings, system.log)["text"]
    except ValueError:
        root = None
    if mark in [borrow("iot.ota.pending").mark(one) for one in (text, version, root) if one]:
        return ""
    return borrow("iot.probation").reason(system.nvs) or "interrupted"


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


def _fail(system, why, is_over):
    system.log.error("update", "{}", why)
    borrow("iot.probation").keep_reason(system.nvs, why)
    if is_over:
        manifest = _manifest(slots.on_trial(system.nvs))
        if manifest:
            borrow("iot.ota.kept").refuse(system.nvs, manifest["sha256"])
        slots.end_trial(system.nvs, False)
