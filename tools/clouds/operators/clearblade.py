"""ClearBlade IoT Core: the device signs its tokens; configurations, states, commands."""

import asyncio
import json
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tools.clouds.clearblade import ClearBlade, NotSubscribedError

from .base import Base, OperatorError, merged, read, until

_LOOK_S = 0.05
_ANSWERS = "answers"  # the subfolder of events where the device answers commands: the cloud itself hears none


class Operator(Base):
    """Desires by the device's configuration, which is replaced whole; hears by events and states."""

    CALLED = "ClearBlade IoT Core, the successor of Google's"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._cloud = ClearBlade(self.folder, tell=self.on_event)
        self._desired: dict[str, Any] = {}
        self._reported: dict[str, Any] = {}
        self._answers: list[str] = []

    async def start(self) -> None:
        await self._cloud.start()
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        self._following.cancel()
        await self._cloud.stop()

    @property
    def port(self) -> int:
        return self._cloud.port

    def section(self) -> dict[str, Any]:
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._cloud.create_device(self.device, public.decode())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _, project, _, location, _, registry, *_ = self._cloud.client_id(self.device).split("/")
        return {
            "clearblade": {
                "endpoint": "localhost",
                "port": self.port,
                "root_ca": self._cloud.root_pem,
                "project": project,
                "location": location,
                "registry": registry,
                "key": private.decode(),
            }
        }

    async def desire(self, change: dict[str, Any]) -> None:
        self._desired = merged(self._desired, change)
        self._cloud.set_config(self.device, json.dumps(self._desired).encode())

    def reported(self) -> dict[str, Any]:
        return self._reported

    async def command(self, name: str, payload: dict[str, Any]) -> str:
        self._answers.clear()
        try:
            self._cloud.send_command(self.device, json.dumps(payload).encode(), name)
        except NotSubscribedError as error:
            raise OperatorError(str(error)) from None
        return await until(lambda: self._answers.pop() if self._answers else "")

    async def _follow(self) -> None:
        """Tell of what comes, which the stand-in keeps for whoever looks."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                device = self._cloud.device(self.device)
            except KeyError:  # not made yet
                continue
            while device.events:
                folder, payload = device.events.popleft()
                if folder.partition("/")[0] == _ANSWERS:
                    self._answers.append(payload.decode(errors="replace"))
                self.on_message("/".join(filter(None, (f"{device.topic}/events", folder))), payload)
            while device.states:
                payload = device.states.popleft()
                self._reported = read(payload)
                self.on_message(f"{device.topic}/state", payload)
