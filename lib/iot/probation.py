"""The way back for a device that has a configuration, but perhaps none that works.

It leads to CONFIG, or to the configuration before this one.
"""

import asyncio
import gc

from micropython import const

from iot.events import within
from iot.memory import borrow

_REACHED = const("reached")
_UNREACHED = const("unreached")
_REASON_MAX = const(100)  # characters, of up to four bytes
_HOLD_MS = const(1000)
_POLL_MS = const(50)
_DEATHS = const(5)  # restarts in a row, by death or for want of memory, that end a trial


def reached(nvs):
    """Whether the cloud was ever reached with this configuration, as the thing that it leads to."""
    return bool(borrow("iot.storage.nvs").get_i32(nvs, _REACHED))


def set_reached(nvs, value):
    """Remembers it, and forgets why it was not; a new configuration begins with False."""
    values = borrow("iot.storage.nvs")
    values.erase_key(nvs, _UNREACHED)
    if reached(nvs) != value:
        values.set(nvs, _REACHED, int(value))


def reason(nvs):
    """Why the last configuration but one that works was given up, None where none was, or it is damaged."""
    return borrow("iot.storage.nvs").get_text(nvs, _UNREACHED, 4 * _REASON_MAX)


def keep_reason(nvs, why):
    """Has `reason` tell it, up to the next configuration."""
    borrow("iot.storage.nvs").set(nvs, _UNREACHED, why[:_REASON_MAX].encode())


async def make_room(system):
    """Ends the connection and the application, which have most of the memory: a restart has to follow."""
    if system.cloud:
        await system.cloud.client.disconnect()
    names = [name for name in ("claim", "cloud", "application") if name in system.tasks]
    await borrow("iot.endings").end(system, names)
    gc.collect()


def replace(nvs, store, document, on_trial=False):
    """Stores a validated configuration in place of the one there is; where that fails, the old one stays.

    on_trial: where the cloud is not reached with it in the time it has, the old one comes back.

    Raises:
        OSError, ValueError: flash fails or is full.
        MemoryError: there is no memory for it.
    """
    before = reached(nvs)
    try:
        set_reached(nvs, False)  # first: cut here, the old one has to show once more that it works
        store.save(document, on_trial)
        rtc = borrow("iot.storage.rtc")
        rtc.set_station(-1, None)  # of other networks
        rtc.set("died", 0)
    except (OSError, ValueError, MemoryError):
        if before:
            set_reached(nvs, True)
        raise


async def watch(system):
    """Returns once the cloud is reached; where it never was in the time it has, restarts into CONFIG, or with
    the configuration before this one.

    That time is WIFI_REACH_MS for Wi-Fi, and from then on CLOUD_REACH_MS.
    """
    try:
        if reached(system.nvs):
            return
        what, why = await _outcome(system)
        if what is None:
            return
        if system.store().settle_configuration(False):
            set_reached(system.nvs, True)
            why = what + why
            system.restart("the configuration before comes back: " + why)
        else:
            borrow("iot.storage.rtc").set("setup", 1)
            system.restart(what + why)
        keep_reason(system.nvs, why)
    except (OSError, ValueError) as error:  # a flash that fails must not end what works without it
        system.log.error("flash", "{}", error)


async def _outcome(system):
    """What was not reached, and why; (None, None) once the cloud is, which is then remembered."""
    rtc = borrow("iot.storage.rtc")
    if rtc.get("died") + rtc.get("starved") >= _DEATHS:  # each time began anew
        return "the cloud was never reached: ", "the device restarted {} times".format(_DEATHS)
    came = asyncio.Event()

    def handler(session):
        came.set()
        system.store().settle_configuration(True)  # at once: a restart may be on its way
        set_reached(system.nvs, True)

    system.events.on("cloud_up", handler)
    try:
        if not await within(system.settings.WIFI_REACH_MS, system.wifi.connected()):
            return "Wi-Fi was never reached: ", system.unreached or "no network lets the device in"
        if await within(system.settings.CLOUD_REACH_MS, came.wait()):
            return None, None
    finally:
        system.events.off("cloud_up", handler)
    if system.clock.state == "unset":
        return "the cloud was never reached: ", "no time server answers"
    return "the cloud was never reached: ", system.unreached or "no answer came"


async def held(pin):
    """Whether a button to ground is held for a second."""
    for _ in range(_HOLD_MS // _POLL_MS):
        if pin.value():
            return False
        await asyncio.sleep_ms(_POLL_MS)
    return True
