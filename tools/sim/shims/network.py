"""`network` of the simulated chip: a Wi-Fi station whose radio is in the world."""

import binascii

import _world

STA_IF = 0
AUTH_OPEN = 0
AUTH_WEP = 1
AUTH_WPA_PSK = 2
AUTH_WPA2_PSK = 3
AUTH_WPA_WPA2_PSK = 4
AUTH_WPA2_ENTERPRISE = 5
AUTH_WPA3_PSK = 6
AUTH_WPA2_WPA3_PSK = 7
AUTH_WAPI_PSK = 8
AUTH_OWE = 9
AUTH_WPA3_ENT_192 = 10
STAT_BEACON_TIMEOUT = 200
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_ASSOC_FAIL = 203
STAT_CONNECT_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY = 210
STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD = 211
STAT_NO_AP_FOUND_IN_RSSI_THRESHOLD = 212
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010

_NO_ADDRESS = ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")
_ADDRESS = ("192.168.4.20", "255.255.255.0", "192.168.4.1", "192.168.4.1")
_hostname = ["mpy-esp32"]
_mac = [b""]


def hostname(*name):
    """Get or set the name the station gives itself, at most 32 characters."""
    if not name:
        return _hostname[0]
    if not 1 <= len(name[0]) <= 32:
        raise ValueError
    _hostname[0] = name[0]
    return None


class WLAN:
    """The station interface. `connect` raises while connecting and while connected: `disconnect` first."""

    IF_STA = 0

    def __init__(self, interface_id=STA_IF):
        if interface_id != STA_IF:
            raise ValueError("invalid WLAN interface identifier")

    def active(self, *is_active):
        if is_active and not _world.call("wifi_active", bool(is_active[0])):
            raise RuntimeError("Wifi Unknown Error 0x0101")  # ESP_ERR_NO_MEM
        return _state()["active"]

    def connect(self, ssid=None, password=None, *, bssid=None):
        if bssid is not None and len(bssid) != 6:
            raise ValueError
        _world.call("wifi_connect", _text(ssid), _text(password), bssid and _colons(bssid))

    def disconnect(self):
        _world.call("wifi_disconnect")

    def isconnected(self):
        return _state()["connected"]

    def status(self, *param):
        """The driver's last word, which a new `connect` does not take back; or `status("rssi")` in dBm."""
        if not param:
            return _state()["status"]
        if param[0] != "rssi":
            raise ValueError("unknown status param")
        return _world.call("wifi_rssi")

    def scan(self):
        """[(ssid, bssid, channel, RSSI, authmode, False)], the strongest first, b"" for a hidden name."""
        found = _world.ask("wifi_scan")  # takes its time: other threads go on
        return [(row[0].encode(), _bytes(row[1]), row[2], row[3], row[4], False) for row in found]

    def config(self, *param, **kwargs):
        """Get `mac`, `hostname` or `reconnects`; set one of the last two (reconnects=-1: for ever)."""
        if param and kwargs:
            raise TypeError("either pos or kw args are allowed")
        if kwargs:
            return _set(kwargs)
        if len(param) != 1:
            raise TypeError("can query only one param")
        if param[0] == "mac":
            return _mac[0]
        if param[0] in ("hostname", "dhcp_hostname"):
            return hostname()
        if param[0] == "reconnects":
            return _state()["reconnects"]
        raise ValueError("unknown config param")

    def ifconfig(self, *config):
        """(address, netmask, gateway, DNS server), 0.0.0.0 until DHCP has given some; set them, or "dhcp"."""
        if not config:
            state = _state()
            if state["static"]:
                return tuple(state["static"])
            return _ADDRESS if state["connected"] else _NO_ADDRESS
        if config[0] == "dhcp":
            if not _state()["static"]:
                raise RuntimeError("Wifi Unknown Error 0x5004")  # ESP_ERR_ESP_NETIF_DHCP_ALREADY_STARTED
            return _world.call("wifi_static", None)
        if isinstance(config[0], str):
            raise ValueError("invalid arguments")
        if len(config[0]) != 4:
            raise ValueError("requested length 4 but object has length " + str(len(config[0])))
        for address in config[0]:
            _check_address(address)
        return _world.call("wifi_static", list(config[0]))

    def ipconfig(self, *param, **kwargs):
        """Get `addr4`, an (address, netmask) pair, `gw4` or `dhcp4`; set the last."""
        if kwargs:
            if param:
                raise TypeError("can't specify pos and kw args")
            for name, value in kwargs.items():
                if name != "dhcp4":
                    raise ValueError("unexpected key")
                if value:
                    _world.call("wifi_static", None)
            return None
        param = param[0]
        if param == "dhcp4":
            return not _state()["static"]
        config = self.ifconfig()
        if param == "addr4":
            return config[:2]
        if param == "gw4":
            return config[2]
        raise ValueError("unexpected key")


def _colons(bssid):
    digits = str(binascii.hexlify(bssid), "ascii")
    return ":".join([digits[at : at + 2] for at in range(0, 12, 2)])


def _check_address(address):
    parts = address.split(".")
    if len(parts) != 4 or not all([part.isdigit() and int(part) < 256 for part in parts]):
        raise ValueError("invalid arguments")


def _bytes(address):
    return binascii.unhexlify(address.replace(":", ""))


def _set(settings):
    for name, value in settings.items():
        if name in ("hostname", "dhcp_hostname"):
            hostname(value)
        elif name == "reconnects":
            _world.call("wifi_reconnects", value)
        elif name not in ("pm", "txpower"):  # power: nothing to see in simulation
            raise ValueError("unknown config param")


def _state():
    return _world.call("wifi_state")


def _text(value):
    return value.decode() if isinstance(value, (bytes, bytearray)) else value
