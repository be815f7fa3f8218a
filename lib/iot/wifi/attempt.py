"""One attempt to get into a Wi-Fi network. In memory for that moment."""

import asyncio
import time

from micropython import const

from iot.memory import borrow

_JOIN_MS = const(20000)  # association and key exchange
_ADDRESS_MS = const(40000)  # from then on, for DHCP: a router that has just started takes its time
_SURE_MS = const(8000)  # the driver's three attempts; before, status() may be that of another network
_POLL_MS = const(20)  # the driver has to be asked: a WLAN of MicroPython calls nobody back
_RECONNECTS = const(2)  # then status() tells the reason, which it does not while the driver goes on trying
_UNSET = const("0.0.0.0")  # noqa: S104
_IDLE = const(1000)  # the first of MicroPython's own numbers; those below are reasons to disconnect
_NOT_FOUND = const((201, 212))  # NO_AP_FOUND, and NO_AP_FOUND_IN_RSSI_THRESHOLD
_AUTH_FAIL = const(202)  # also shown where the driver goes on trying, and then gets in
_UNSUITED = const((210, 211))  # found, but with less security than the driver takes, or with another

# Of authentication modes, as ESP-IDF counts them (wifi_auth_mode_t).
_OPEN = const(0)
_WEP = const(1)
_ENTERPRISE = const((5, 10, 14, 15))

# What comes of it, by the numbers of the protocol (docs/ble.md, Result codes).
_SUCCESS = const(0)
_WRONG_PASSWORD = const(6)
_WRONG_SSID = const(7)
_UNKNOWN_FAILURE = const(12)
_NO_ADDRESS = const(14)
_OPEN_NETWORK = const(20)
_NEEDS_PASSWORD = const(21)
_OLD_SECURITY = const(22)
_NEEDS_NAME = const(23)


async def join(wlan, network, found):
    """Gets into a network of the configuration; where that fails, leaves it alone again.

    Of several access points of one name it is the strongest: the driver by itself takes the first it hears.
    Where that one does not let the device in, any will do.

    Args:
        wlan: an active network.WLAN in station mode.
        network: {"ssid": str, "password": str}, and perhaps "static".
        found: what `wlan.scan()` gave; empty where there was no scan.

    Returns:
        The number of a result code; 0, and only then it is connected. And the BSSID, None for any.
    """
    name, secured = network["ssid"].encode(), bool(network["password"])
    found = [point for point in found if point[0] == name]
    # What suits comes first, then what is strong: anybody may call an open network as ours is called.
    found.sort(key=lambda point: ((point[4] == _OPEN) == secured, point[4] in _ENTERPRISE, -point[3]))
    bssid = found[0][1] if len(found) > 1 else None
    result = await once(wlan, network, found, bssid)
    if result and bssid:
        bssid = None
        result = await once(wlan, network, found, bssid)
    return result, bssid


async def once(wlan, network, found, bssid):
    """One attempt of these, at the access point `bssid`; None: the first that is heard."""
    result = _UNKNOWN_FAILURE
    try:
        wlan.config(reconnects=_RECONNECTS)
        wlan.disconnect()  # connect() while connecting raises
        if "static" in network:
            borrow("iot.wifi.static").use(wlan, network["static"])
        elif wlan.ifconfig()[0] != _UNSET:  # that of the network before
            wlan.ipconfig(dhcp4=True)
        wlan.connect(network["ssid"], network["password"] or None, bssid=bssid)
        result = await _wait(wlan, network, found)
    except (OSError, RuntimeError):  # which of them, depends on ESP-IDF's number
        pass
    finally:
        if result:
            leave(wlan)
    return result


async def _wait(wlan, network, found):
    start_ms = time.ticks_ms()
    passed_ms, limit_ms, joined = 0, _JOIN_MS, False
    before = reason = wlan.status()  # connect() does not take back what the last failure was
    while passed_ms < limit_ms:
        await asyncio.sleep_ms(_POLL_MS)
        passed_ms = time.ticks_diff(time.ticks_ms(), start_ms)
        if wlan.isconnected():
            return _SUCCESS
        if _inside(wlan):
            if not joined:
                joined, limit_ms = True, passed_ms + _ADDRESS_MS
            continue
        reason = wlan.status()
        if reason < _IDLE:
            # A new one counts at once where the driver has given up, or the scan bears it out.
            plain = not found if reason in _NOT_FOUND else reason != _AUTH_FAIL
            if passed_ms > _SURE_MS or (plain and reason != before):
                break
    return _NO_ADDRESS if _inside(wlan) else _explained(reason, network, found)


def _explained(reason, network, found):
    if not found:
        return _WRONG_SSID if reason in _NOT_FOUND or reason >= _IDLE else _WRONG_PASSWORD
    mode = found[0][4]  # of the one that suits best
    if mode in _ENTERPRISE:
        return _NEEDS_NAME
    if mode == _OPEN:
        return _OPEN_NETWORK if network["password"] else _UNKNOWN_FAILURE
    if not network["password"]:
        return _NEEDS_PASSWORD
    return _OLD_SECURITY if mode == _WEP or reason in _UNSUITED else _WRONG_PASSWORD


def _inside(wlan):
    """Whether it is associated, be it without an address as yet."""
    try:
        return wlan.status("rssi") is not None
    except OSError:
        return False


def leave(wlan):
    """Leaves the network, or ends what goes on in the way of getting into one."""
    try:
        wlan.disconnect()
    except OSError:  # the radio is off
        pass
