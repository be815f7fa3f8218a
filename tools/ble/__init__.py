"""The computer's side of the Bluetooth LE protocol (docs/ble.md): the phone's part, from a terminal."""

from tools.ble.client import Client
from tools.ble.errors import BleError, LinkLost
from tools.ble.session import Session, normalise_code

__all__ = ["BleError", "Client", "LinkLost", "Session", "normalise_code"]
