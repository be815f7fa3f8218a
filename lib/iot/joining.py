"""How the station gets into a network. Imported for that and forgotten again: some heap less meanwhile."""

import asyncio
import time

from micropython import const

_CONNECT_MS = const(15000)  # association, key exchange and DHCP
_POLL_MS = const(100)
_ROUNDS_TO_RESET = const(3)  # fruitless rounds after which the radio is switched off and on


async def join(wlan, networks, backoff, log):
    """Returns the name of the first network that can be had, once connected. Arguments as for Wifi."""
    rounds = 0
    while True:
        for network in networks:
            if await _connect(wlan, network["ssid"], network["password"], log):
                backoff.reset()
                return network["ssid"]
        rounds += 1
        if rounds % _ROUNDS_TO_RESET == 0:
            log.warning("wifi", "no network after {} rounds, resetting the radio", rounds)
            wlan.active(False)
            wlan.active(True)
        await asyncio.sleep_ms(backoff.next_ms())


async def _connect(wlan, ssid, password, log):
    """Whether it worked: by isconnected() and a deadline alone.

    status() is stale after a new connect(), and a wrong password often shows as CONNECTING.
    """
    log.debug("wifi", 'trying "{}"', ssid)
    wlan.disconnect()  # connect() while connecting raises; and the driver tries for ever by itself
    try:
        wlan.connect(ssid, password) if password else wlan.connect(ssid)
    except OSError as error:
        log.warning("wifi", '"{}": {}', ssid, error)
        return False
    start_ms = time.ticks_ms()
    while not wlan.isconnected():
        if time.ticks_diff(time.ticks_ms(), start_ms) > _CONNECT_MS:
            log.warning("wifi", '"{}": no connection within {} s', ssid, _CONNECT_MS // 1000)
            wlan.disconnect()
            return False
        await asyncio.sleep_ms(_POLL_MS)
    return True
