"""How the station gets into a network. Imported for that and forgotten again: some heap less meanwhile."""

import asyncio

from micropython import const

from iot.memory import borrow

_ROUNDS_TO_RESET = const(3)  # fruitless rounds after which the radio is switched off and on


async def join(wlan, networks, backoff, log, notify):
    """Returns the name of the first network that can be had, once connected. Arguments as for Wifi."""
    ssid = await _where_it_was(wlan, networks, log)
    rounds = 0
    while not ssid:
        found = await heard(wlan, log)
        for number, network in enumerate(networks):
            log.debug("wifi", 'trying "{}"', network["ssid"])
            result, reason, bssid = await enter(wlan, network, found)
            if not result:
                borrow("iot.storage.rtc").set_station(number, bssid)
                ssid = network["ssid"]
                break
            log.warning("wifi", "{}", reason)
            notify("unreached", reason)
        if ssid:
            break
        found = None  # makes room meanwhile
        rounds += 1
        if rounds % _ROUNDS_TO_RESET == 0:
            log.warning("wifi", "no network after {} rounds, resetting the radio", rounds)
            wlan.active(False)
            wlan.active(True)
        await asyncio.sleep_ms(backoff.next_ms())
    backoff.reset()
    return ssid


def tell(wifi, log, notify):
    """Tells that it is connected."""
    ip, rssi = wifi.ip(), wifi.rssi()
    log.info("wifi", 'connected to "{}" as {}, {} dBm', wifi.ssid, ip, rssi)
    notify("wifi_up", {"ssid": wifi.ssid, "ip": ip, "rssi": rssi})


async def _where_it_was(wlan, networks, log):
    """The name of the network that was joined last, where it is there again; to look around takes seconds."""
    number, bssid = borrow("iot.storage.rtc").station()
    if not 0 <= number < len(networks):
        return None
    network = networks[number]
    log.debug("wifi", 'trying "{}" again', network["ssid"])
    return None if await borrow("iot.wifi.attempt").once(wlan, network, (), bssid) else network["ssid"]


async def enter(wlan, network, found):
    """Gets into one network, as iot.wifi.attempt does; what a phone has tried is what is done later.

    Args:
        wlan: an active network.WLAN in station mode.
        network: {"ssid": str, "password": str}, and perhaps "static".
        found: what `heard` gave.

    Returns:
        The number of a result code, what that means (None for success), and the BSSID, None for any.
    """
    result, bssid = await borrow("iot.wifi.attempt").join(wlan, network, found)
    reason = borrow("iot.wifi.words").words(result, network, found) if result else None
    return result, reason, bssid


async def heard(wlan, log):
    """The access points around; none where the radio does not tell: then the driver takes the first."""
    scan = borrow("iot.wifi.scan")
    try:
        wlan.disconnect()  # while it connects it does not scan; and it tries for ever by itself
        return await scan.scan(wlan)
    except (OSError, RuntimeError, MemoryError) as error:
        log.debug("wifi", "no scan: {}", error)
        return ()
