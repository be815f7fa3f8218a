"""The way back to CONFIG for a device that has a configuration, but perhaps none that works."""

import asyncio

from micropython import const

from iot.events import within
from iot.memory import borrow

_REACHED = const("reached")
_UNREACHED = const("unreached")
_REASON_MAX = const(100)  # characters, of up to four bytes
_HOLD_MS = const(1000)
_POLL_MS = const(50)


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
    """Why the cloud was not reached before this start, or None where it led not back to CONFIG."""
    kept = borrow("iot.storage.nvs").get_blob(nvs, _UNREACHED, bytearray(4 * _REASON_MAX))
    return None if kept is None else str(kept, "utf-8")


def replace(nvs, store, document):
    """Stores a validated configuration in place of the one there is; where that fails, the old one stays.

    Raises:
        OSError, ValueError: flash fails or is full.
        MemoryError: there is no memory for it.
    """
    before = reached(nvs)
    try:
        set_reached(nvs, False)  # first: cut here, the old one has to show once more that it works
        store.save(document)
        borrow("iot.storage.rtc").set_station(-1, None)  # of other networks
    except (OSError, ValueError, MemoryError):
        if before:
            set_reached(nvs, True)
        raise


async def watch(system):
    """Returns once the cloud is reached; restarts into CONFIG where it never was in the time it has.

    That is WIFI_REACH_MS for Wi-Fi, and from then on CLOUD_REACH_MS.
    """
    try:
        if reached(system.nvs):
            return
        what, why = await _outcome(system)
        if what is None:
            return
        borrow("iot.storage.rtc").set("setup", 1)
        system.restart(what + why)
        borrow("iot.storage.nvs").set(system.nvs, _UNREACHED, why[:_REASON_MAX].encode())
    except OSError as error:  # a flash that fails must not end what works without it
        system.log.error("flash", "{}", error)


async def _outcome(system):
    """What was not reached, and why; (None, None) once the cloud is, which is then remembered."""
    came = asyncio.Event()

    def handler(session):
        came.set()
        set_reached(system.nvs, True)  # at once: a restart may be on its way

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
