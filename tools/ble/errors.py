"""What can go wrong between a phone and a device, said together with what to do about it."""

from tools.board.errors import BoardError

_AGAIN = "Come nearer to the device and try again: it goes on where it stopped."
_FILE = "Correct the configuration: docs/configuration.md tells what each member may be. Nothing was stored."
_REPORT = "Bring tools and firmware to the same version, and try again."

_REFUSALS = {
    "ACCESS_DENIED": (
        "the code is wrong, or what was sent did not arrive as it was",
        "Compare the code with the device's label; after wrong ones it makes pauses of up to two minutes.",
    ),
    "TIMEOUT": ("the device gave up", _AGAIN),
    "MISSING_ELEMENTS": ("something is missing in the configuration", _FILE),
    "WRONG_PASSWORD": (
        "the Wi-Fi network does not let the device in",
        "Correct its password. Nothing was stored.",
    ),
    "WRONG_SSID": (
        "the device hears no Wi-Fi network of that name",
        "See which it hears: python3 -m tools ble status --scan. Nothing was stored.",
    ),
    "INVALID_REQUEST": ("the device does not know the request", _REPORT),
    "MISSING_PACKETS": ("pieces were lost on the way again and again", _AGAIN),
    "CHECKSUM_FAILED": ("the configuration did not arrive as it was sent", "Send it again."),
    "BUSY": ("the device is trying a configuration", "Wait for half a minute, and try again."),
    "INVALID_JSON": ("the configuration is not JSON", _FILE),
    "NO_ADDRESS": (
        "the Wi-Fi network gave the device no address",
        "See that the network's router has DHCP on, with addresses left. Nothing was stored.",
    ),
    "INVALID_VALUE": ("something in the configuration is wrong", _FILE),
    "TOO_LARGE": ("it is larger than the device takes", "Make it smaller."),
    "STORAGE_FAILED": (
        "the device could not store it",
        "Its flash is full or worn: see its log: python3 -m tools console PORT",
    ),
    "LOCKED": (
        "the code is wrong again: no phone is welcome for a while, of up to two minutes",
        "Compare the code with the device's label, and try again then. Cutting its power ends the pause.",
    ),
    "UNSUPPORTED_VERSION": ("the device speaks another version of the protocol", _REPORT),
    "OPEN_NETWORK": (
        "the Wi-Fi network is open, and the configuration has a password for it",
        "Leave the password out, or look whose network that is. Nothing was stored.",
    ),
    "NEEDS_PASSWORD": (
        "the Wi-Fi network needs a password",
        "Put it into the configuration. Nothing was stored.",
    ),
    "OLD_SECURITY": (
        "the Wi-Fi network offers WEP or WPA alone",
        "Switch its router to WPA2, or choose another network. Nothing was stored.",
    ),
    "ENTERPRISE": (
        "the Wi-Fi network asks for a user name (WPA enterprise), which the device cannot give",
        "Choose one that needs a password alone. Nothing was stored.",
    ),
    "NOT_REACHED": (
        "the cloud was not reached with the last configuration",
        "Correct what the reason names, and configure the device again.",
    ),
}
_UNKNOWN = ("the device failed", "See its log: python3 -m tools console PORT")


class BleError(BoardError):
    """A failure that a user can meet.

    Args:
        text: what happened.
        remedy: what to do next.
        name: what the protocol calls it (docs/ble.md, Result codes).
    """

    def __init__(self, text: str, remedy: str, name: str = "UNKNOWN_FAILURE") -> None:
        super().__init__(text, remedy)
        self.name = name


class LinkLost(BleError):
    """The connection has ended; on a new one a configuration goes on where it stopped."""

    def __init__(self, text: str = "the connection to the device is gone", remedy: str = _AGAIN) -> None:
        super().__init__(text, remedy, "TIMEOUT")


def refusal(name: str, detail: str = "") -> BleError:
    """The error for a result code's name; `detail` is what the device said about it."""
    text, remedy = _REFUSALS.get(name, _UNKNOWN)
    return BleError(f"{text}: {detail}" if detail else text, remedy, name)
