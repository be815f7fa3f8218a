"""What firmware/settings.py says, looked at before it goes to a board."""

import ast
from contextlib import suppress
from typing import Any

from tools.ble.protocol import identity  # the device's own module

from . import files
from .errors import BoardError

_FILE = "firmware/settings.py"
_REMEDY = "A device is called NAME_PREFIX and its MAC address, in AWS and on the air: choose another prefix."


def check() -> None:
    """Raise BoardError where the device would refuse the settings at its start."""
    known = values()
    if "NAME_PREFIX" in known:
        try:
            identity.device_id(known["NAME_PREFIX"], bytes(6))
        except ValueError as error:
            raise BoardError(f"{_FILE}: {error}", _REMEDY) from None


def values() -> dict[str, Any]:
    """What stands there as a plain value, by its name; what is computed the device alone knows."""
    path, found = files.ROOT / _FILE, {}
    if path.exists():
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                with suppress(ValueError):
                    found[node.targets[0].id] = ast.literal_eval(node.value)
    return found
