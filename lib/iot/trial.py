"""Tries one Wi-Fi network and says what happened, for people who wait for it."""

import asyncio
import time

from micropython import const

_CONNECT_MS = const(20000)  # association, key exchange and DHCP
_POLL_MS = const(100)
_RECONNECTS = const(2)  # then status() tells the reason, which it does not while the driver goes on trying
_IDLE = const(1000)  # the first of MicroPython's own numbers; those below are reasons to disconnect
_NO_AP_FOUND = const(201)
_TOO_WEAK = const(212)  # NO_AP_FOUND_IN_RSSI_THRESHOLD


async def join(wlan, network, heard):
    """Connects to a network of the configuration and leaves it again.

    Args:
        wlan: an active network.WLAN in station mode.
        network: {"ssid": str, "password": str}.
        heard: whether the network was found by a scan.

    Returns:
        SUCCESS, WRONG_SSID, WRONG_PASSWORD or NO_ADDRESS; UNKNOWN_FAILURE where the driver raises.
    """
    ssid, password = network["ssid"], network["password"]
    try:
        wlan.config(reconnects=_RECONNECTS)
        wlan.disconnect()  # connect() while connecting raises
        wlan.connect(ssid, password) if password else wlan.connect(ssid)
        return await _outcome(wlan, heard)
    except OSError:
        return "UNKNOWN_FAILURE"
    finally:
        _leave(wlan)


async def _outcome(wlan, heard):
    start_ms = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), start_ms) < _CONNECT_MS:
        await asyncio.sleep_ms(_POLL_MS)
        if wlan.isconnected():
            return "SUCCESS"
        reason = wlan.status()
        if reason in (_NO_AP_FOUND, _TOO_WEAK):
            return "WRONG_SSID"
        if reason < _IDLE:  # the driver gave up; what an access point answers to a wrong password varies
            return "WRONG_PASSWORD"
    if _associated(wlan):
        return "NO_ADDRESS"
    return "WRONG_PASSWORD" if heard else "WRONG_SSID"


def _associated(wlan):
    try:
        return wlan.status("rssi") is not None
    except OSError:
        return False


def _leave(wlan):
    try:
        wlan.disconnect()
    except OSError:  # the radio is off
        pass
