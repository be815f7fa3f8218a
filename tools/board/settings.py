"""What firmware/settings.py says, looked at before it goes to a board."""

from typing import Any

from tools import application
from tools.ble.protocol import identity  # the device's own module

from . import files
from .errors import BoardError

_REMEDY = "A device is called NAME_PREFIX and its MAC address, in AWS and on the air: choose another prefix."


def check() -> None:
    """Raise BoardError where the device would refuse the settings at its start."""
    known = values()
    if "NAME_PREFIX" in known:
        try:
            identity.device_id(known["NAME_PREFIX"], bytes(6))
        except ValueError as error:
            raise BoardError(f"{files.SETTINGS}: {error}", _REMEDY) from None


def values() -> dict[str, Any]:
    """What stands there as a plain value, by its name; what is computed the device alone knows."""
    return files.values(application.folder(files.ROOT))


def device_name(mac: str) -> str:
    """What a device with this address is called."""
    prefix: str = values().get("NAME_PREFIX", "esp32")
    name: str = identity.device_id(prefix, bytes.fromhex(mac.replace(":", "")))
    return name
