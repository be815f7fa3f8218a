"""The way back to CONFIG for a device that has a configuration, but perhaps none that works."""

import asyncio
import time

from micropython import const

_REACHED = const("reached")
_HOLD_MS = const(1000)
_POLL_MS = const(50)
_NOT_FOUND = const(-0x1102)  # ESP_ERR_NVS_NOT_FOUND


def reached(nvs):
    """Whether one of the networks of this configuration was ever joined."""
    try:
        return bool(nvs.get_i32(_REACHED))
    except OSError as error:
        if error.errno != _NOT_FOUND:
            raise
        return False


def set_reached(nvs, value):
    """Remembers it; a new configuration begins with False."""
    if reached(nvs) != value:
        nvs.set_i32(_REACHED, int(value))
        nvs.commit()


def store(system, document, value):
    """Stores a configuration that begins with `value`; where that fails, all is as it was before."""
    before = reached(system.nvs)
    set_reached(system.nvs, value)  # first: a cut in between does no harm
    try:
        system.store().save(document)
    except (OSError, ValueError, MemoryError):
        set_reached(system.nvs, before)
        raise


async def watch(system):
    """Returns once Wi-Fi is reached; restarts into CONFIG where it never was within WIFI_REACH_MS."""
    try:
        if not reached(system.nvs):
            await _watch(system)
    except OSError as error:  # a flash that fails must not end what works without it
        system.log.error("flash", "{}", error)


async def _watch(system):
    start_ms = time.ticks_ms()
    while not system.wifi.ssid:
        if time.ticks_diff(time.ticks_ms(), start_ms) > system.settings.WIFI_REACH_MS:
            from iot import retained

            retained.set("setup", 1)
            system.restart("Wi-Fi was never reached")
            return
        await asyncio.sleep_ms(10 * _POLL_MS)
    set_reached(system.nvs, True)


async def held(pin):
    """Whether a button to ground is held for a second."""
    for _ in range(_HOLD_MS // _POLL_MS):
        if pin.value():
            return False
        await asyncio.sleep_ms(_POLL_MS)
    return True
