"""Why a Wi-Fi network does not let the device in, in words for the log and for people."""

_WORDS = {
    6: "it does not accept the password",
    7: "no network of this name is heard",
    14: "it let the device in, but gave it no address",
    20: "it is open: leave the password empty",
    21: "it needs a password",
    22: "its security (WEP or WPA) is too old: let it offer WPA2",
    23: "it asks for a user name (enterprise), which the device cannot give",
}
_HIDDEN = {
    6: "it hides its name, and does not accept the password",
    7: "no network of this name is heard; one near hides its name: is this the right spelling?",
}


def words(result, network, found):
    """What the number of a result code (docs/ble.md) means, as iot.wifi.attempt gives it for these."""
    names = [point[0] for point in found]
    hidden = b"" in names and network["ssid"].encode() not in names
    text = (hidden and _HIDDEN.get(result)) or _WORDS.get(result) or "it does not let the device in"
    return 'network "{}": {}'.format(network["ssid"], text)
