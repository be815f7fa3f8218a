"""A Transport over bleak, which uses the machine's own Bluetooth: BlueZ, Core Bluetooth or WinRT."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakError
from bleak.exc import BleakBluetoothNotAvailableReason as Reason

from .errors import BleError, LinkLost
from .protocol import CHANNELS, MTU_MIN, SERVICE, on_air

_ATT_BYTES = 3  # of the MTU, which the value of a write has not
_CONNECT_S = 30.0
_LINUX = "On Linux it takes an adapter, BlueZ and D-Bus: apt install bluez, and systemctl start bluetooth."
_NEAR = "See that it is on, near, and in mode CONFIG, and that no phone is connected to it."
_ALLOW = "Allow this terminal to use Bluetooth, in the system's settings for privacy, and start it anew."
_UNAVAILABLE = {
    Reason.NO_BLUETOOTH: ("this machine has no Bluetooth that works", f"Plug in an adapter. {_LINUX}"),
    Reason.NO_BLE_CENTRAL_ROLE: ("this Bluetooth adapter knows no Low Energy", "Plug in another adapter."),
    Reason.POWERED_OFF: ("Bluetooth is off", "Switch it on, in the system's settings."),
    Reason.DENIED_BY_USER: ("Bluetooth is not allowed to this terminal", _ALLOW),
    Reason.DENIED_BY_SYSTEM: ("Bluetooth is not allowed to this terminal", _ALLOW),
    Reason.DENIED_BY_UNKNOWN: ("Bluetooth is not allowed to this terminal", _ALLOW),
}


@dataclass(frozen=True)
class Found:
    """A device that advertises."""

    name: str
    address: str
    rssi: int
    device: BLEDevice


async def scan(seconds: float, until: str | None = None) -> list[Found]:
    """The devices of this product that are heard, the strongest first; ends with the one called `until`.

    Raises:
        BleError: there is no Bluetooth to scan with.
    """
    found: dict[str, Found] = {}
    there = asyncio.Event()

    def heard(device: BLEDevice, data: AdvertisementData) -> None:
        name = data.local_name or device.name or ""  # the name is in the scan response, which may come later
        found[device.address] = Found(name, device.address, data.rssi, device)
        if name == until:
            there.set()

    with _said():
        async with BleakScanner(heard, service_uuids=[SERVICE]):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await there.wait()
    return sorted(found.values(), key=lambda one: -one.rssi)


async def find(name: str | None, seconds: float) -> Found:
    """The device of this name; without a name the only one there is.

    Raises:
        BleError: there is none, or more than one and no name.
    """
    name = None if name is None else on_air(name)
    devices = await scan(seconds, name)
    names = ", ".join(device.name for device in devices)
    if name is not None:
        for device in devices:
            if device.name == name:
                return device
        others = f"; but {names}" if names else ""
        raise BleError(f"{name} is not heard{others}", _NEAR, "TIMEOUT")
    if not devices:
        raise BleError("no device is heard", _NEAR, "TIMEOUT")
    if len(devices) > 1:
        raise BleError(f"more than one device is heard: {names}", "Give the name of one.", "INVALID_REQUEST")
    return devices[0]


class OverBleak:
    """A connection to a device that `scan` or `find` gave."""

    def __init__(self, found: Found) -> None:
        self.name = found.name or found.address
        self.on_disconnect: Callable[[], None] = lambda: None
        self._client = BleakClient(found.device, lambda _: self.on_disconnect(), timeout=_CONNECT_S)
        self._characteristics: dict[str, BleakGATTCharacteristic] = {}

    @property
    def mtu(self) -> int:
        # BlueZ tells it with the characteristics (5.62 and later), and only some time after the exchange.
        values = [one.max_write_without_response_size for one in self._characteristics.values()]
        return max(MTU_MIN, min(values) + _ATT_BYTES) if values else MTU_MIN

    async def connect(self) -> None:
        with _said():
            await self._client.connect()
        for uuid in CHANNELS.values():
            characteristic = self._client.services.get_characteristic(uuid)
            if characteristic is None:
                raise BleError(f"{self.name}: not a device of this product", "Choose another one: ble scan.")
            self._characteristics[uuid] = characteristic

    async def disconnect(self) -> None:
        with _said():
            await self._client.disconnect()

    async def read(self, uuid: str) -> bytes:
        with _said():
            return bytes(await self._client.read_gatt_char(self._characteristics[uuid]))

    async def write(self, uuid: str, data: bytes) -> None:
        with _said():
            await self._client.write_gatt_char(self._characteristics[uuid], data, response=True)

    async def subscribe(self, uuid: str, callback: Callable[[bytes], None]) -> None:
        with _said():
            await self._client.start_notify(
                self._characteristics[uuid], lambda _, data: callback(bytes(data))
            )


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """Say what bleak raises in our words."""
    try:
        yield
    except BleakBluetoothNotAvailableError as error:
        other = (f"Bluetooth is not available: {error.args[0]}", _LINUX)
        text, remedy = _UNAVAILABLE.get(error.reason, other)
        raise BleError(text, remedy) from None
    except BleakDBusError as error:
        kind = error.dbus_error.rpartition(".")[2]
        if kind == "ServiceUnknown":
            raise BleError("this machine has no Bluetooth that works: BlueZ does not run", _LINUX) from None
        if kind in ("AccessDenied", "NotAuthorized", "NotPermitted"):
            remedy = "Add yourself to the group bluetooth, and log in again: sudo usermod -aG bluetooth $USER"
            raise BleError("you may not use Bluetooth on this machine", remedy) from None
        if kind == "NotReady":
            raise BleError(*_UNAVAILABLE[Reason.POWERED_OFF]) from None
        raise LinkLost(f"Bluetooth failed: {error.dbus_error_details or kind}") from None
    except TimeoutError:
        raise LinkLost("the device does not answer") from None
    except BleakError as error:
        raise LinkLost(f"Bluetooth failed: {error}") from None
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it hung up"
        raise BleError(f"this machine has no Bluetooth that works: D-Bus: {reason}", _LINUX) from None
