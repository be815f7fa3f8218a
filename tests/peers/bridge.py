"""Chromium's emulated Bluetooth, bridged to a phone in the simulated world.

Every GATT operation that Chromium reports over the DevTools protocol is carried out by a bumble central
against a simulated chip, and its outcome is what Chromium is told. The protocol has two gaps, which a script
in the page closes: it cannot push a notification, so that one is read, which raises the same event; and it
does not tell of a disconnect.
"""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from bumble.core import UUID, AdvertisingData
from bumble.gatt_client import CharacteristicProxy
from playwright.async_api import Browser, CDPSession, Error, Page

from tools.sim.ble.phone import Phone

SERVICE = "5704246a-5d4c-4f19-9b53-157d8824063d"
_CLIENT_CONFIGURATION = "00002902-0000-1000-8000-00805f9b34fb"  # without it there is nothing to subscribe to
_FAILED = 1  # ATT's Invalid Handle: Chromium makes a NetworkError of it
_CONNECTION_TIMEOUT = 8  # HCI
_QUIET_TURNS = 10

_SCRIPT = """
(() => {
  const seen = new Map();
  const find = BluetoothRemoteGATTService.prototype.getCharacteristic;
  BluetoothRemoteGATTService.prototype.getCharacteristic = async function (uuid) {
    const characteristic = await find.call(this, uuid);
    seen.set(characteristic.uuid, characteristic);
    return characteristic;
  };
  const { connect, disconnect } = BluetoothRemoteGATTServer.prototype;
  let left = Promise.resolve();
  BluetoothRemoteGATTServer.prototype.disconnect = function () {
    if (this.connected) left = bridgeLeft();
    disconnect.call(this);
  };
  BluetoothRemoteGATTServer.prototype.connect = async function () {
    await left;
    return connect.call(this);
  };
  Object.defineProperty(window, "bridgeRead", {value: (uuid) => seen.get(uuid).readValue().then(() => {})});
})();
"""


class Bridge:
    """Chromium's Bluetooth for one page; use as an async context manager before the page is loaded.

    Args:
        browser: the whole browser has one Bluetooth.
        page: the page that may use it.
        phone: acts in the simulated world.
        address: the chip's Bluetooth address there, with colons.

    Attributes:
        writes: how many frames the page has written.
        on_write: awaited with their number before each goes on the air.
    """

    def __init__(self, browser: Browser, page: Page, phone: Phone, address: str) -> None:
        self.phone = phone
        self.writes = 0
        self.on_write: Callable[[int], Awaitable[None]] | None = None
        self._browser, self._page = browser, page
        self._address = address
        self._emulated = address.upper()  # Chromium finds no device whose address has small letters
        self._characteristics: dict[str, CharacteristicProxy] = {}  # by Chromium's ids
        self._ids: dict[str, str] = {}  # by UUID
        self._connection: Any = None
        self._notifications: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._told = False  # whether Chromium takes the device for connected
        self._pushed: tuple[str, bytes] | None = None  # the one that Chromium reads now
        self._tasks: set[asyncio.Task[None]] = set()
        self._operations: set[asyncio.Task[None]] = set()
        self._prompts: set[str] = set()
        self._bluetooth: CDPSession
        self._access: CDPSession

    async def __aenter__(self) -> "Bridge":
        await self._page.expose_binding("bridgeLeft", lambda _source: self._left())
        await self._page.add_init_script(_SCRIPT)
        self._bluetooth = await self._browser.new_browser_cdp_session()
        self._access = await self._page.context.new_cdp_session(self._page)
        self._bluetooth.on(
            "BluetoothEmulation.gattOperationReceived", lambda event: self._start(self._gatt(event))
        )
        self._bluetooth.on(
            "BluetoothEmulation.characteristicOperationReceived",
            self._on_operation,
        )
        self._access.on("DeviceAccess.deviceRequestPrompted", self._on_prompt)
        await self._bluetooth.send("BluetoothEmulation.enable", {"state": "powered-on", "leSupported": True})
        await self._access.send("DeviceAccess.enable")
        self._start(self._push())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._leave()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send(self, command: str, **arguments: Any) -> dict[str, Any]:
        return await self._bluetooth.send(f"BluetoothEmulation.{command}", arguments)

    async def begin_anew(self) -> None:
        """For a page that was loaded again: Chromium has the document before keep what it emulates."""
        await self._send("disable")
        await self._send("enable", state="powered-on", leSupported=True)
        await self.hear()

    async def quiet(self, operations: int = 0) -> None:
        """Wait until no more than so many are under way: a disconnect may hang Chromium's emulation then."""
        still = 0
        while still < _QUIET_TURNS:
            await asyncio.sleep(0.02)
            busy = len(self._operations) > operations or self._pushed or not self._notifications.empty()
            still = 0 if busy else still + 1

    # Choosing

    async def hear(self) -> None:
        """Listen to the chip, and have Chromium know what was heard: name and services.

        That is before the page asks: Chromium forgets the name in an advertisement that it is told of later.
        """
        heard = await self.phone.scan(self._address)
        services = heard.get(AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS) or []
        await self._send(
            "simulatePreconnectedPeripheral",
            address=self._emulated,
            name=heard.get(AdvertisingData.Type.COMPLETE_LOCAL_NAME),
            manufacturerData=[],
            knownServiceUuids=[str(uuid).lower() for uuid in services],
        )

    def _on_prompt(self, event: dict[str, Any]) -> None:
        devices = [device["id"] for device in event["devices"]]
        if event["id"] in self._prompts:  # a second answer to a prompt would end the browser
            return
        self._prompts.add(event["id"])
        self._start(self._choose(event["id"], devices))

    async def _choose(self, prompt: str, devices: list[str]) -> None:
        if devices:
            await self._access.send("DeviceAccess.selectPrompt", {"id": prompt, "deviceId": devices[0]})
        else:  # a user who sees an empty list
            await self._access.send("DeviceAccess.cancelPrompt", {"id": prompt})

    # The connection

    async def _gatt(self, event: dict[str, Any]) -> None:
        code = 0
        if event["type"] == "connection":
            await self._leave()
            code = await self._connect()
            self._told = code == 0
        else:
            await self._show_characteristics()
        await self._send(
            "simulateGATTOperationResponse", address=self._emulated, type=event["type"], code=code
        )

    async def _connect(self) -> int:
        try:
            self._peer = await self.phone.connect(self._address, 5)
        except Exception:  # bumble has many; to the page all are one
            return _CONNECTION_TIMEOUT
        self._connection = connection = self._peer.connection
        connection.on("disconnection", lambda _reason: self._start(self._lost(connection)))
        return 0

    async def _show_characteristics(self) -> None:
        self._characteristics.clear()
        self._ids.clear()
        service = (await self._send("addService", address=self._emulated, serviceUuid=SERVICE))["serviceId"]
        properties = {"read": True, "write": True, "notify": True}
        for proxy in self._peer.get_services_by_uuid(UUID(SERVICE))[0].characteristics:
            uuid = str(proxy.uuid).lower()
            added = await self._send(
                "addCharacteristic", serviceId=service, characteristicUuid=uuid, properties=properties
            )
            await self._send(
                "addDescriptor",
                characteristicId=added["characteristicId"],
                descriptorUuid=_CLIENT_CONFIGURATION,
            )
            self._characteristics[added["characteristicId"]] = proxy
            self._ids[uuid] = added["characteristicId"]

    async def _lost(self, connection: Any) -> None:
        if connection is self._connection:
            self._connection = None
            await self._tell_disconnection()

    async def _tell_disconnection(self) -> None:
        """An operation that is not answered before would hang Chromium's emulation for good."""
        self._forget()
        if not self._told:
            return
        self._told = False
        for operation in [*self._operations]:
            operation.cancel()
        await asyncio.gather(*self._operations)
        await self._send("simulateGATTDisconnection", address=self._emulated)

    async def _left(self) -> None:
        """The page has disconnected; Chromium's emulated device has to be told so."""
        await self._leave()
        await self._tell_disconnection()

    async def _leave(self) -> None:
        connection, self._connection = self._connection, None
        self._forget()
        if connection:
            with contextlib.suppress(Exception):  # it may be gone already
                await connection.disconnect()

    def _forget(self) -> None:
        while not self._notifications.empty():
            self._notifications.get_nowait()

    # Operations

    def _on_operation(self, event: dict[str, Any]) -> None:
        task = self._start(self._operation(event))
        self._operations.add(task)
        task.add_done_callback(self._operations.discard)

    async def _operation(self, event: dict[str, Any]) -> None:
        identity, kind = event["characteristicId"], event["type"]
        answer: dict[str, Any] = {"code": 0}
        try:
            answer |= await self._do(identity, kind, event.get("data"))
        except (Exception, asyncio.CancelledError):  # the link is gone
            answer = {"code": _FAILED}
        with contextlib.suppress(Error):  # the page is gone
            await self._send(
                "simulateCharacteristicOperationResponse", characteristicId=identity, type=kind, **answer
            )

    async def _do(self, identity: str, kind: str, data: str | None) -> dict[str, str]:
        if kind == "read" and self._pushed and self._pushed[0] == identity:
            return {"data": _text(self._pushed[1])}
        proxy = self._characteristics[identity]
        if kind == "read":
            return {"data": _text(bytes(await proxy.read_value()))}
        if kind == "write":
            self.writes += 1
            if self.on_write:
                await self.on_write(self.writes)
            await proxy.write_value(base64.b64decode(data or ""), with_response=True)
        elif kind == "subscribe-to-notifications":
            await proxy.subscribe(lambda value: self._notifications.put_nowait((identity, bytes(value))))
        return {}

    async def _push(self) -> None:
        while True:
            self._pushed = await self._notifications.get()
            uuid = next((uuid for uuid, identity in self._ids.items() if identity == self._pushed[0]), None)
            with contextlib.suppress(Error):  # disconnected meanwhile
                if uuid:
                    await self._page.evaluate("uuid => bridgeRead(uuid)", uuid)
            self._pushed = None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
