"""The other side of a device: what an operator does with a ClearBlade, an Alibaba, any broker."""

import itertools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.clouds.paho_peer import PahoPeer
from tests.host.cloud.support import client_context
from tests.patience import PATIENCE_S, until
from tools.clouds.alibaba import Alibaba
from tools.clouds.broker import Broker
from tools.clouds.clearblade import ClearBlade

NAME = "esp32-240ac4000001"
HOST = "cloud.example.net"
HOSTS = (HOST, "localhost")
SECRET = "pear pear pear pear"


class Side(Protocol):
    """One cloud, with what its operator sees of the device NAME.

    Attributes:
        kind: the configuration's section.
        folder: of its CA.
        port: where it listens.
        refusals: what is wrong one after another, each with what the device's log says.
        secrets: what no log may have.
    """

    kind: str
    folder: Path
    port: int

    @property
    def secrets(self) -> Sequence[str]: ...

    @property
    def refusals(self) -> Sequence[tuple[str, str]]: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def section(self) -> dict[str, Any]: ...

    async def mend(self, what: str) -> None:
        """Takes away one of `refusals`, to the next."""

    def desire(self, state: dict[str, Any]) -> None:
        """All that is desired."""

    def reported(self) -> dict[str, Any]: ...

    def telemetry(self) -> list[dict[str, Any]]: ...

    async def command(self, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        """What is answered: "status", and "reason" or "result" where there is one."""


def _pem(key: ec.EllipticCurvePrivateKey) -> tuple[str, str]:
    """Private key (SEC 1) and public key."""
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.decode(), key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


class ClearBladeSide:
    kind = "clearblade"
    refusals = (
        ("name", "refused by the broker: identifier rejected"),
        ("key", "refused by the broker: bad user name or password"),
        ("clock", "refused by the broker: bad user name or password"),
    )

    def __init__(self, folder: Path) -> None:
        self.ahead_s = 0.0
        self.folder = folder
        self.cloud = ClearBlade(folder, HOSTS, clock=lambda: time.time() + self.ahead_s, project="house-7")
        self._private, self._public = _pem(ec.generate_private_key(ec.SECP256R1()))
        self.secrets = ["eyJ", *self._private.splitlines()[1:-1]]
        self._ids = itertools.count(1)

    async def start(self) -> None:
        self.port = await self.cloud.start()

    async def stop(self) -> None:
        await self.cloud.stop()

    def section(self) -> dict[str, Any]:
        place = {"project": "house-7", "location": "us-central1", "registry": "registry"}
        return {"endpoint": HOST, "root_ca": self.cloud.root_pem, "key": self._private, **place}

    async def mend(self, what: str) -> None:
        if what == "name":
            _, other = _pem(ec.generate_private_key(ec.SECP256R1()))
            self.device = self.cloud.create_device(NAME, other)
        elif what == "key":
            self.ahead_s = -3 * 3600.0
            self.device.keys[:] = [serialization.load_pem_public_key(self._public.encode())]  # type: ignore[list-item]
        else:
            self.ahead_s = 0.0

    def desire(self, state: dict[str, Any]) -> None:
        self.cloud.set_config(NAME, json.dumps(state).encode())

    def reported(self) -> dict[str, Any]:
        return json.loads(self.device.states[-1]) if self.device.states else {}

    def telemetry(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for subfolder, payload in self.device.events if not subfolder]

    async def command(self, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        identifier = str(next(self._ids))
        self.cloud.send_command(NAME, json.dumps({**payload, "id": identifier}).encode(), name)

        def answers() -> list[dict[str, Any]]:
            told = [
                json.loads(payload) for subfolder, payload in self.device.events if subfolder == "answers"
            ]
            return [one for one in told if one["id"] == identifier]

        await until(answers, "the answer")
        assert answers()[0]["command"] == name
        return answers()[0]


class AlibabaSide:
    kind = "alibaba"
    secrets = (SECRET, SECRET.encode().hex())
    refusals = (
        ("name", "refused by the broker: not authorized"),
        ("key", "refused by the broker: bad user name or password"),
    )

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Alibaba(folder, HOSTS)

    async def start(self) -> None:
        self.port = await self.cloud.start()

    async def stop(self) -> None:
        await self.cloud.stop()

    def section(self) -> dict[str, Any]:
        root = {"endpoint": HOST, "root_ca": self.cloud.root_pem}
        return {**root, "product_key": "pk", "device_secret": SECRET}

    async def mend(self, what: str) -> None:
        if what == "name":
            self.device = self.cloud.create_device("pk", NAME, "another")
        else:
            self.device.secret = SECRET

    def desire(self, state: dict[str, Any]) -> None:
        self.cloud.set_desired(self.device, state)

    def reported(self) -> dict[str, Any]:
        return self.device.properties

    def telemetry(self) -> list[dict[str, Any]]:
        return [post for post in self.device.posts if "count" in post]

    async def command(self, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        answer = await self.cloud.invoke(self.device, name, payload, PATIENCE_S)
        status, _, reason = answer["message"].partition(": ")
        assert (status == "SUCCEEDED") == (answer["code"] == 200)
        return {"status": status, "reason": reason, "result": answer["data"]}


class BrokerSide:
    """A real mosquitto; the operator is paho, with a certificate."""

    kind = "mqtt"
    secrets = (SECRET, SECRET.encode().hex())
    refusals = (("key", "refused by the broker: not authorized"),)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = Broker(folder, {"lamp": "another"}, HOSTS)
        self.port = self.broker.port
        self.peer: PahoPeer | None = None
        self._ids = itertools.count(1)

    async def start(self) -> None:
        await self.broker.start()

    async def stop(self) -> None:
        await self.broker.stop()
        if self.peer is not None:
            await self.peer.__aexit__(None, None, None)

    def section(self) -> dict[str, Any]:
        will = {"topic": "gone/{id}", "payload": "lost", "qos": 1}
        root = {"endpoint": HOST, "root_ca": self.broker.root_pem}
        return {**root, "user": "lamp", "password": SECRET, "will": will}

    async def mend(self, what: str) -> None:
        self.broker.set_passwords({"lamp": SECRET})
        await self.broker.stop()
        await self.broker.start()
        context = client_context(self.broker.root_pem, self.broker.authority.issue(), self.folder)
        self.peer = PahoPeer(self.broker.certificate_port, context, "house")
        await self.peer.__aenter__()
        await self.peer.subscribe("#")

    def publish(self, topic: str, document: dict[str, Any], retain: bool = False) -> None:
        assert self.peer is not None
        self.peer.paho.publish(topic, json.dumps(document), qos=1, retain=retain)

    def desire(self, state: dict[str, Any]) -> None:
        self.publish(f"state/{NAME}/desired", state, retain=True)

    def heard(self, topic: str) -> list[bytes]:
        assert self.peer is not None
        return [one.payload for one in list(self.peer.messages) if one.topic == topic]

    def said(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.heard(topic)]

    def reported(self) -> dict[str, Any]:
        return [{}, *self.said(f"state/{NAME}/reported")][-1]

    def telemetry(self) -> list[dict[str, Any]]:
        return self.said(f"telemetry/{NAME}")

    async def command(self, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        identifier = str(next(self._ids))
        self.publish(f"commands/{NAME}/{name}/{identifier}", payload)
        answers = f"answers/{NAME}/{name}/{identifier}"
        await until(lambda: self.said(answers), "the answer")
        return self.said(answers)[0]


SIDES: dict[str, Callable[[Path], Side]] = {
    "clearblade": ClearBladeSide,
    "alibaba": AlibabaSide,
    "mqtt": BrokerSide,
}
