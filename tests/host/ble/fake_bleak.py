"""bleak's two classes as far as tools.ble.over_bleak uses them, in front of Boards."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from bleak.exc import BleakError

from tests.host.ble.memory import Board, Memory
from tools.ble.errors import LinkLost
from tools.ble.protocol import SERVICE


class Bluetooth:
    """A machine's Bluetooth with devices around it: `scanner` and `client` stand for bleak's classes.

    failure: what everything raises. cuts: for each connection, the frame with which it ends.
    """

    def __init__(self, boards: dict[str, Board], mtu: int = 247) -> None:
        self.boards = boards
        self.mtu = mtu
        self.failure: Exception | None = None
        self.cuts: list[int] = []
        self.connections = 0

    def scanner(self, heard: Callable[[Any, Any], None], service_uuids: list[str]) -> "Scanner":
        assert service_uuids == [SERVICE]
        return Scanner(self, heard)

    def client(self, device: Any, gone: Callable[[Any], None], timeout: float) -> "FakeClient":
        return FakeClient(self, device.name, gone)


class Scanner:
    def __init__(self, bluetooth: Bluetooth, heard: Callable[[Any, Any], None]) -> None:
        self._bluetooth, self._heard = bluetooth, heard

    async def __aenter__(self) -> None:
        if self._bluetooth.failure:
            raise self._bluetooth.failure
        for number, name in enumerate(self._bluetooth.boards):
            device = SimpleNamespace(name=None, address=f"24:0A:C4:00:00:{number:02X}")
            self._heard(device, SimpleNamespace(local_name=None, rssi=-50))  # the scan response comes later
            device.name = name
            self._heard(device, SimpleNamespace(local_name=name, rssi=-50 - number))

    async def __aexit__(self, *_: object) -> None:
        pass


class FakeClient:
    def __init__(self, bluetooth: Bluetooth, name: str, gone: Callable[[Any], None]) -> None:
        self._bluetooth = bluetooth
        cut_at = bluetooth.cuts.pop(0) if bluetooth.cuts else -1
        self._memory = Memory(bluetooth.boards[name], bluetooth.mtu, cut_at=cut_at)
        self._memory.on_disconnect = lambda: gone(self)
        self.services = self

    def get_characteristic(self, uuid: str) -> Any:
        return SimpleNamespace(uuid=uuid, max_write_without_response_size=self._bluetooth.mtu - 3)

    async def connect(self) -> None:
        self._bluetooth.connections += 1
        await self._memory.connect()

    async def disconnect(self) -> None:
        await self._memory.disconnect()

    async def read_gatt_char(self, characteristic: Any) -> bytearray:
        return bytearray(await self._memory.read(characteristic.uuid))

    async def write_gatt_char(self, characteristic: Any, data: bytes, response: bool) -> None:
        assert response
        try:
            await self._memory.write(characteristic.uuid, data)
        except LinkLost:
            raise BleakError("Not connected") from None

    async def start_notify(self, characteristic: Any, callback: Callable[[Any, bytearray], None]) -> None:
        await self._memory.subscribe(
            characteristic.uuid, lambda data: callback(characteristic, bytearray(data))
        )
