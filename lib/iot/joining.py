"""How the station gets into a network. Imported for that and forgotten again: some heap less meanwhile."""

import asyncio

from micropython import const

from iot import attempt, scan

_ROUNDS_TO_RESET = const(3)  # fruitless rounds after which the radio is switched off and on


async def join(wlan, networks, backoff, log, notify):
    """Returns the name of the first network that can be had, once connected. Arguments as for Wifi."""
    rounds = 0
    while True:
        points = await _heard(wlan, log)
        for network in networks:
            ssid = network["ssid"]
            log.debug("wifi", 'trying "{}"', ssid)
            result, words = await attempt.join(wlan, network, points)
            if result == "SUCCESS":
                backoff.reset()
                return ssid
            reason = '"{}": {}'.format(ssid, words)
            log.warning("wifi", "{}", reason)
            notify("unreached", reason)
        points = None  # makes room meanwhile
        rounds += 1
        if rounds % _ROUNDS_TO_RESET == 0:
            log.warning("wifi", "no network after {} rounds, resetting the radio", rounds)
            wlan.active(False)
            wlan.active(True)
        await asyncio.sleep_ms(backoff.next_ms())


async def _heard(wlan, log):
    """The access points around; none where the radio does not tell: then the driver takes the first."""
    try:
        wlan.disconnect()  # while it connects it does not scan; and it tries for ever by itself
        return await scan.around(wlan)
    except (OSError, RuntimeError, MemoryError) as error:
        log.debug("wifi", "no scan: {}", error)
        return ()
