"""One attempt to get into a Wi-Fi network, and what came of it, in words. In memory for that moment."""

import asyncio
import time

from micropython import const

_JOIN_MS = const(20000)  # association and key exchange
_ADDRESS_MS = const(40000)  # from then on, for DHCP: a router that has just started takes its time
_SURE_MS = const(8000)  # the driver's three attempts; before, status() may be that of another network
_POLL_MS = const(100)
_RECONNECTS = const(2)  # then status() tells the reason, which it does not while the driver goes on trying
_NO_ADDRESS = const("0.0.0.0")  # noqa: S104
_IDLE = const(1000)  # the first of MicroPython's own numbers; those below are reasons to disconnect
_NOT_FOUND = const((201, 212))  # NO_AP_FOUND, and NO_AP_FOUND_IN_RSSI_THRESHOLD
_AUTH_FAIL = const(202)  # also shown where the driver goes on trying, and then gets in
_UNSUITED = const((210, 211))  # found, but with less security than the driver takes, or with another

# Of authentication modes, as ESP-IDF counts them (wifi_auth_mode_t).
_OPEN = const(0)
_WEP = const(1)
_ENTERPRISE = const((5, 10, 14, 15))

_WORDS = {
    "SUCCESS": "",
    "WRONG_SSID": "no network of this name is heard",
    "WRONG_PASSWORD": "it does not accept the password",
    "NO_ADDRESS": "it let the device in, but gave it no address",
    "OPEN_NETWORK": "it is open: leave the password empty",
    "NEEDS_PASSWORD": "it needs a password",
    "OLD_SECURITY": "its security (WEP or WPA) is too old: let it offer WPA2",
    "ENTERPRISE": "it asks for a user name (enterprise), which the device cannot give",
    "UNKNOWN_FAILURE": "it does not let the device in",
}


async def join(wlan, network, points):
    """Gets into a network of the configuration; where that fails, leaves it alone again.

    Of several access points of one name it is the strongest: the driver by itself takes the first it hears.
    Where that one does not let the device in, any will do.

    Args:
        wlan: an active network.WLAN in station mode.
        network: {"ssid": str, "password": str}, and perhaps "static".
        points: what `wlan.scan()` gave, in its order; empty where there was no scan.

    Returns:
        SUCCESS, or what is wrong (iot.ble.codes), and that in words.
    """
    ssid, password = network["ssid"].encode(), network["password"]
    own = [point for point in points if point[0] == ssid]
    own.sort(key=lambda point: (not _suits(point[4], password), -point[3]))
    result = await _try(wlan, network, own, own[0][1] if len(own) > 1 else None)
    if result != "SUCCESS" and len(own) > 1:
        result = await _try(wlan, network, own, None)
    words = _WORDS[result]
    if result == "WRONG_SSID" and [point for point in points if not point[0]]:
        words += "; one near hides its name: is this the right spelling?"
    elif result == "WRONG_PASSWORD" and points and not own:
        words = "it hides its name, and does not accept the password"
    return result, words


def _suits(mode, password):
    return mode not in _ENTERPRISE and (mode == _OPEN) != bool(password)


async def _try(wlan, network, own, bssid):
    result = "UNKNOWN_FAILURE"
    password = network["password"]
    try:
        wlan.config(reconnects=_RECONNECTS)
        wlan.disconnect()  # connect() while connecting raises
        _address(wlan, network.get("static"))
        wlan.connect(network["ssid"], password or None, bssid=bssid)
        result = await _outcome(wlan, password, own)
    except (OSError, RuntimeError):  # which of them, depends on ESP-IDF's number
        pass
    finally:
        if result != "SUCCESS":
            _leave(wlan)
    return result


def _address(wlan, static):
    """Sets the network's own address, or has DHCP give one again."""
    if static:
        wlan.ifconfig((static["ip"], static["netmask"], static["gateway"], static["dns"]))
    elif wlan.ifconfig()[0] != _NO_ADDRESS:  # that of the network before
        wlan.ipconfig(dhcp4=True)


async def _outcome(wlan, password, own):
    start_ms = time.ticks_ms()
    passed_ms, limit_ms, joined = 0, _JOIN_MS, False
    before = reason = wlan.status()  # connect() does not take back what the last failure was
    while passed_ms < limit_ms:
        await asyncio.sleep_ms(_POLL_MS)
        passed_ms = time.ticks_diff(time.ticks_ms(), start_ms)
        if wlan.isconnected():
            return "SUCCESS"
        if _associated(wlan):
            if not joined:
                joined, limit_ms = True, passed_ms + _ADDRESS_MS
            continue
        reason = wlan.status()
        if reason < _IDLE and (passed_ms > _SURE_MS or (reason != before and _plain(reason, own))):
            break
    if _associated(wlan):
        return "NO_ADDRESS"
    return _explained(reason, password, own)


def _plain(reason, own):
    """Whether a new reason counts at once: the driver has given up, or the scan bears it out."""
    return not own if reason in _NOT_FOUND else reason != _AUTH_FAIL


def _explained(reason, password, own):
    if not own:
        return "WRONG_SSID" if reason in _NOT_FOUND or reason >= _IDLE else "WRONG_PASSWORD"
    mode = own[0][4]  # of the one that suits best
    if mode in _ENTERPRISE:
        return "ENTERPRISE"
    if mode == _OPEN:
        return "OPEN_NETWORK" if password else "UNKNOWN_FAILURE"
    if not password:
        return "NEEDS_PASSWORD"
    return "OLD_SECURITY" if mode == _WEP or reason in _UNSUITED else "WRONG_PASSWORD"


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
