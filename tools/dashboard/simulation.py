"""What the page may do to a simulated world: Wi-Fi, time servers, power, sensors, a second phone."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tools.ble.errors import BleError
from tools.ble.session import new_code
from tools.dashboard.guard import RefusedError
from tools.sim import Device, World
from tools.sim.peripherals import WARM_C
from tools.sim.wiring import WiringError, check

_PHONE_S = 30.0
_IN_CHIP = "temperature"  # which each chip has, as long as nothing else is wired


class Simulation:
    """The world of `make run`.

    Args:
        world: around the devices.
        devices: by their names.
    """

    def __init__(self, world: World, devices: Mapping[str, Device]) -> None:
        self.world = world
        self.devices = devices

    def state(self) -> dict[str, Any]:
        """As GET /api/world."""
        return {
            "wifi": not self.world.air.lost,
            "ntp": "silent" if self.world.ntp.mode == "silent" else "right",
            "devices": {name: self._of(device) for name, device in self.devices.items()},
        }

    def _of(self, device: Device) -> dict[str, Any]:
        chip = device.chip
        sensors = {_IN_CHIP: WARM_C} | chip.peripherals.wiring.values()
        return {
            "powered": device.powered,
            "pins": {str(pin): level for pin, level in sorted(chip.pins.items())},
            "sensors": sensors,
        }

    def change(self, wanted: dict[str, Any]) -> None:
        """As POST /api/world: all of it or nothing. Raises RefusedError."""
        wifi, ntp = wanted.get("wifi"), wanted.get("ntp")
        if not wanted or wanted.keys() - {"wifi", "ntp"}:
            raise RefusedError(400, "wifi or ntp has to be there, and nothing else", 'As {"wifi": false}.')
        if "wifi" in wanted and not isinstance(wifi, bool):
            raise RefusedError(400, "wifi: neither true nor false", 'As {"wifi": false}.')
        if "ntp" in wanted and ntp not in ("right", "silent"):
            raise RefusedError(400, 'ntp: neither "right" nor "silent"', 'As {"ntp": "silent"}.')
        if isinstance(wifi, bool):
            self.world.wifi_lost(not wifi)
        if ntp:
            self.world.ntp.mode = "silent" if ntp == "silent" else "answers"

    async def change_device(self, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """As POST /api/world/NAME. Raises RefusedError."""
        device = self.devices.get(name)
        if device is None:
            raise RefusedError(404, f"{name}: no simulated device", "GET /api/world has those there are.")
        match wanted:
            case {"power": "cut", **more} if not more:
                await device.power_off()
            case {"power": "on", **more} if not more:
                await device.power_on()
            case {"power": "cut-at-write", **more} if not more:
                device.cut_at_write(1)
            case {"set": dict(values), **more} if values and not more:
                self._set(device, values)
            case {"phone": "connect", **more} if not more:
                return {"text": await self._second_phone(name)}
            case _:
                raise RefusedError(
                    400,
                    "nothing that can be done to a device",
                    'As {"power": "cut"}, or {"set": {"adc.34": 1.6}}.',
                )
        return {}

    def _set(self, device: Device, values: dict[str, Any]) -> None:
        wiring = device.chip.peripherals.wiring
        try:
            for sensor, value in values.items():
                if value is not None:
                    check(sensor, value)
            for sensor, value in values.items():
                wiring.set(sensor, value)
        except WiringError as error:
            raise RefusedError(400, str(error), "docs/simulator.md has what can be wired.") from None

    async def _second_phone(self, name: str) -> str:
        """What a phone is told that does not know the code."""
        from tools.ble.phone import set_up  # noqa: PLC0415 - bumble takes its time

        try:
            async with asyncio.timeout(_PHONE_S):
                await set_up(self.world, name, new_code(), {})
        except BleError as error:
            return str(error)
        except TimeoutError:
            return f"not within {_PHONE_S:g} s"
        return "it was let in"
