"""The Wi-Fi networks around, as a phone shows them."""

from micropython import const

_NETWORKS_MAX = const(20)
# By network.AUTH_*, as ESP-IDF counts them (wifi_auth_mode_t).
_SECURITY = const(("open", "wep", "wpa", "wpa2", "wpa2", "enterprise", "wpa3", "wpa3"))
_ENTERPRISE = const((10, 14, 15))  # of WPA3


def shown(found):
    """`WLAN.scan()`'s as [{"ssid", "rssi", "security"}]: strongest first, no name twice, 20 at most."""
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
