"""ClearBlade IoT Core: the device signs its tokens; configurations, states, commands."""

import json
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tools.clouds.clearblade import ClearBlade, NotSubscribedError

from .base import Fronted, OperatorError, merged, read, until

_ANSWERS = "answers"  # the subfolder of events where the device answers commands: the cloud itself hears none


class Operator(Fronted[ClearBlade]):
    """Desires by the device's configuration, which is replaced whole; hears by events and states."""

    CALLED = "ClearBlade IoT Core, the successor of Google's"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._cloud = ClearBlade(self.folder, tell=self.on_event)
        self._cloud.on_message = self._on_message
        self._desired: dict[str, Any] = {}
        self._reported: dict[str, Any] = {}
        self._answers: list[str] = []

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
                **self.place(),
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

    def _on_message(self, topic: str, payload: bytes) -> None:
        kind, _, folder = topic.removeprefix(f"/devices/{self.device}/").partition("/")
        if kind == "state":
            self._reported = read(payload)
        elif folder.partition("/")[0] == _ANSWERS:
            self._answers.append(payload.decode(errors="replace"))
        self.on_message(topic, payload)
