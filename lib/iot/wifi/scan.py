"""The Wi-Fi networks around, as the driver hears them and as a phone shows them."""

import _thread
import asyncio

from micropython import const

_POLL_MS = const(50)
_SCAN_MS = const(15000)
_NETWORKS_MAX = const(20)
# By network.AUTH_*, as ESP-IDF counts them (wifi_auth_mode_t).
_SECURITY = const(("open", "wep", "wpa", "wpa2", "wpa2", "enterprise", "wpa3", "wpa3"))
_ENTERPRISE = const((10, 14, 15))  # of WPA3


async def scan(wlan):
    """Looks for access points; in a thread of its own, since the driver takes seconds.

    Args:
        wlan: an active network.WLAN in station mode.

    Returns:
        What `wlan.scan()` does: [(name, BSSID, channel, RSSI, authentication mode, False)].

    Raises:
        OSError: the driver refuses, or does not come back.
    """
    outcome: list = []
    _thread.start_new_thread(_read, (wlan, outcome))
    waited_ms = 0
    while not outcome:
        await asyncio.sleep_ms(_POLL_MS)
        waited_ms += _POLL_MS
        if waited_ms > _SCAN_MS:
            raise OSError("the radio does not answer")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _read(wlan, outcome):
    try:
        outcome.append(wlan.scan())
    except Exception as error:  # a thread has nobody above it that could hear
        outcome.append(error if isinstance(error, OSError) else OSError(str(error)))


def shown(found):
    """What `scan` returns as a phone shows it, [{"ssid", "rssi", "security"}].

    Strongest first, no name twice, 20 at most.
    """
    strongest = {}
    for name, _, _, rssi, authmode, _ in found:
        try:
            ssid = str(name, "utf-8")
        except ValueError:  # UnicodeError is one: such a name cannot be typed, nor configured
            continue
        if ssid and (ssid not in strongest or strongest[ssid]["rssi"] < rssi):
            security = "enterprise" if authmode in _ENTERPRISE else "other"
            security = _SECURITY[authmode] if authmode < len(_SECURITY) else security
            strongest[ssid] = {"ssid": ssid, "rssi": rssi, "security": security}
    return sorted(strongest.values(), key=lambda network: -network["rssi"])[:_NETWORKS_MAX]
