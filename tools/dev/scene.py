"""One simulated device with the cloud that it calls: of `tools dev`, and of an application's own tests."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.board import settings
from tools.cloud import Cloud
from tools.cloud.endpoint import kept_port
from tools.cloud.errors import ResourceNotFoundException
from tools.cloud.fleet import MAY_ALL
from tools.configure import configure
from tools.news import News
from tools.sim import Device, World
from tools.subscriber import Subscriber

WIFI = {"ssid": "Home", "password": "correct horse"}
MAC = "24:0a:c4:00:00:01"
WAIT_S = 200  # a machine under load is ten times slower
_MESSAGES = 10_000
_LOOK_S = 0.05
_JSON = "application/json"
_ENDS = ("SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT")


class Scene:
    """A local cloud, a world with one device, and a subscriber to all messages: `async with Scene(folder)`.

    Args:
        folder: keeps the cloud's state and the device's flash.
        on_line: called with each line of the device's console.
        on_message: called with topic and payload of each message.
        rest: whether the cloud serves boto3, too.
        micropython: a MicroPython unix binary that runs the device; None: CPython.

    Attributes:
        name: the device's, and the thing's.
    """

    def __init__(
        self,
        folder: Path,
        on_line: Callable[[str], None] | None = None,
        on_message: Callable[[str, bytes], None] = lambda topic, payload: None,
        rest: bool = False,
        micropython: str | None = None,
    ) -> None:
        self.folder = folder
        self.name = settings.device_name(MAC)
        self.cloud = Cloud(
            folder / "cloud",
            port=kept_port(folder / "cloud"),
            files_port=0,
            rest_port=0 if rest else None,
        )
        self.world = World({WIFI["ssid"]: WIFI["password"]})
        self.device = Device(folder / "device", self.world, MAC, micropython, on_line=on_line)
        self._on_message = on_message
        self._messages: list[tuple[str, bytes]] = []
        self._passed = 0
        self._commands = 0
        self._news = News()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> "Scene":
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.cloud)
            await stack.enter_async_context(self.world)
            certificate, key = self.cloud.create_identity(MAY_ALL)
            identity = (self.cloud.root_ca, certificate, key)
            place = (self.folder, "localhost", self.cloud.port)
            self._subscriber = Subscriber(*place, *identity, "#", self._received)
            await stack.enter_async_context(self._subscriber)
            stack.push_async_callback(self.device.power_off)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def start(self) -> None:
        """Power the device on, and have it configured where it has no configuration as yet."""
        await self.device.power_on()
        if (await self.device.expect(r"system: mode (\w+)$", WAIT_S))[1] == "CONFIG":
            document = self.cloud.device_configuration([WIFI])
            await configure(self._ask, document, now_s=time.time())

    async def _ask(self, line: str) -> str:
        await self.device.send(line)
        return (await self.device.expect(r"^= (.*)$", WAIT_S))[1]

    def publish(self, topic: str, payload: bytes | str | dict[str, Any]) -> None:
        """Send a message, a dictionary as JSON; a device gets what it has `subscribed` to."""
        text = json.dumps(payload) if isinstance(payload, dict) else payload
        self._subscriber.publish(topic, text.encode() if isinstance(text, str) else text)

    async def subscribed(self, beginning: str, timeout_s: float = WAIT_S) -> None:
        """Wait until the device has a subscription whose filter begins so; TimeoutError, which tells all."""

        def filters() -> list[str]:
            try:
                found = self.cloud.connections.list_subscriptions(clientId=self.name, maxResults=100)[
                    "subscriptions"
                ]
            except ResourceNotFoundException:
                return []
            return [one["topicFilter"] for one in found]

        end_s = time.monotonic() + timeout_s
        while not any(one.startswith(beginning) for one in filters()):
            if time.monotonic() > end_s:
                raise TimeoutError(f"{self.name} subscribes to {', '.join(filters())}, to no {beginning}…")
            await asyncio.sleep(_LOOK_S)

    async def message(self, topic: str, timeout_s: float = WAIT_S) -> Any:
        """The next message on a topic, behind the one that was taken last: its JSON's value, else its bytes.

        Raises TimeoutError, which tells the topics that came instead.
        """

        def found() -> bytes | None:
            while self._passed < len(self._messages):
                self._passed += 1
                if self._messages[self._passed - 1][0] == topic:
                    return self._messages[self._passed - 1][1]
            return None

        try:
            payload = await self._news.until(found, timeout_s)
        except TimeoutError:
            came = ", ".join(sorted({name for name, _ in self._messages})) or "nothing"
            raise TimeoutError(f"no message on {topic} within {timeout_s:g} s; there was {came}") from None
        try:
            return json.loads(payload)
        except ValueError:
            return payload

    def set(self, name: str, value: Any) -> None:
        """Set what is wired to the device, by its name in docs/simulator.md; WiringError."""
        self.device.chip.peripherals.wiring.set(name, value)

    async def command(
        self, name: str, payload: dict[str, Any], timeout_s: float = WAIT_S
    ) -> tuple[str, dict[str, Any]]:
        """Start a command of AWS IoT Core, {"action": name, …payload}; the execution's status and its result.

        Raises TimeoutError, which tells the status.
        """
        await self.subscribed(f"$aws/commands/things/{self.name}/", timeout_s)
        commands, arn = self.cloud.commands, self.cloud.registry.arn
        self._commands += 1
        command, target = f"{name}-{self._commands}", arn(f"thing/{self.name}")
        content = {"content": json.dumps({"action": name, **payload}).encode(), "contentType": _JSON}
        commands.create_command(commandId=command, payload=content)
        execution = commands.start_command_execution(targetArn=target, commandArn=arn(f"command/{command}"))
        place = {"executionId": execution["executionId"], "targetArn": target, "includeResult": True}
        end_s = time.monotonic() + timeout_s
        while (found := commands.get_command_execution(**place))["status"] not in _ENDS:
            if time.monotonic() > end_s:
                raise TimeoutError(f"command {name}: {found['status']} after {timeout_s:g} s")
            await asyncio.sleep(_LOOK_S)
        return found["status"], {key: _value(value) for key, value in found.get("result", {}).items()}

    async def shadow(self, desired: dict[str, Any], timeout_s: float = WAIT_S) -> dict[str, Any]:
        """Desire that in the thing's shadow, and return what is reported once nothing of it differs.

        Raises TimeoutError, which tells what is reported instead.
        """
        document = json.dumps({"state": {"desired": desired}}).encode()
        self.cloud.shadows.update_thing_shadow(thingName=self.name, payload=document)
        end_s = time.monotonic() + timeout_s
        while self._state().get("delta"):
            if time.monotonic() > end_s:
                state = json.dumps(self._state())
                raise TimeoutError(f"not reported as it is desired within {timeout_s:g} s: {state}")
            await asyncio.sleep(_LOOK_S)
        reported: dict[str, Any] = self._state().get("reported", {})
        return reported

    def _state(self) -> dict[str, Any]:
        try:
            found = self.cloud.shadows.get_thing_shadow(thingName=self.name)
        except ResourceNotFoundException:
            return {}
        state: dict[str, Any] = json.loads(found["payload"])["state"]
        return state

    def _received(self, topic: str, payload: bytes) -> None:
        self._messages.append((topic, payload))
        if len(self._messages) > _MESSAGES:
            del self._messages[: _MESSAGES // 2]
            self._passed = max(0, self._passed - _MESSAGES // 2)
        self._on_message(topic, payload)
        self._news.tell()


def _value(value: dict[str, Any]) -> Any:
    """What a command's result has under a name: {"s": …}, {"b": …} or {"bin": …}."""
    (kept,) = value.values()
    try:
        return json.loads(kept) if isinstance(kept, str) else kept
    except ValueError:
        return kept
