"""How the station gets into a network. Imported for that and forgotten again: some heap less meanwhile."""

import asyncio

from micropython import const

from iot.modules import forget

_ROUNDS_TO_RESET = const(3)  # fruitless rounds after which the radio is switched off and on


async def join(wlan, networks, backoff, log, notify):
    """Returns the name of the first network that can be had, once connected. Arguments as for Wifi."""
    rounds = 0
    while True:
        found = await heard(wlan, log)
        from iot import attempt

        forget("iot.attempt")
        for network in networks:
            log.debug("wifi", 'trying "{}"', network["ssid"])
            result = await attempt.join(wlan, network, found)
            if not result:
                backoff.reset()
                return network["ssid"]
            from iot import words

            forget("iot.words")
            reason = words.words(result, network, found)
            words = None
            log.warning("wifi", "{}", reason)
            notify("unreached", reason)
        found = attempt = None  # makes room meanwhile
        rounds += 1
        if rounds % _ROUNDS_TO_RESET == 0:
            log.warning("wifi", "no network after {} rounds, resetting the radio", rounds)
            wlan.active(False)
            wlan.active(True)
        await asyncio.sleep_ms(backoff.next_ms())


async def heard(wlan, log):
    """The access points around; none where the radio does not tell: then the driver takes the first."""
    from iot import scan

    forget("iot.scan")
    try:
        wlan.disconnect()  # while it connects it does not scan; and it tries for ever by itself
        return await scan.scan(wlan)
    except (OSError, RuntimeError, MemoryError) as error:
        log.debug("wifi", "no scan: {}", error)
        return ()
