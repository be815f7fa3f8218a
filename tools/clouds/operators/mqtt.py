"""Any broker with TLS: a mosquitto, and somebody who knows the topics that the device has by itself."""

import itertools
import json
import secrets
from typing import Any

from tools.clouds.broker import Broker
from tools.subscriber import Subscriber

from .base import Fronted, merged, read, until


class Operator(Fronted[Broker]):
    """Talks to the device by another client of the broker, which shows a certificate."""

    CALLED = "any broker: mosquitto with passwords and TLS"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._password = secrets.token_hex(8)
        self._desired: dict[str, Any] = {}
        self._reported: dict[str, Any] = {}
        self._answers: dict[str, bytes] = {}
        self._numbers = itertools.count(1)
        self._cloud = Broker(self.folder, {self.device: self._password})

    async def start(self) -> None:
        await super().start()
        identity = self._cloud.root_pem, *self._cloud.authority.issue()
        self._client = Subscriber(
            self.folder, "localhost", self._cloud.certificate_port, *identity, "#", self._on_message
        )
        await self._client.__aenter__()

    async def stop(self) -> None:
        await self._client.__aexit__()
        await super().stop()

    def section(self) -> dict[str, Any]:
        return {
            "mqtt": {
                **self.place(),
                "user": "{id}",
                "password": self._password,
            }
        }

    async def desire(self, change: dict[str, Any]) -> None:
        self._desired = merged(self._desired, change)
        topic = f"state/{self.device}/desired"
        self._client.publish(topic, json.dumps(self._desired).encode(), retain=True)

    def reported(self) -> dict[str, Any]:
        return self._reported

    async def command(self, name: str, payload: dict[str, Any]) -> str:
        number = next(self._numbers)
        answer = f"answers/{self.device}/{name}/{number}"
        self._client.publish(f"commands/{self.device}/{name}/{number}", json.dumps(payload).encode())
        return await until(lambda: self._answers.pop(answer, b"").decode(errors="replace"))

    def _on_message(self, topic: str, payload: bytes) -> None:
        if topic == f"state/{self.device}/reported":
            self._reported = merged(self._reported, read(payload))
        elif topic.startswith(f"answers/{self.device}/"):
            self._answers[topic] = payload
        elif topic.startswith(("state/", "commands/")):
            return  # its own
        self.on_message(topic, payload)
