"""A Greengrass core device's MQTT broker, with a CA of its own, and its bridge to the cloud.

Sources: AWS IoT Greengrass V2 Developer Guide, "Client device auth" (who is let in, and that the core goes on
letting in whom it has seen while it is offline), "Connecting client devices to an AWS IoT Greengrass Core
device with an MQTT broker" (its certificate is for the addresses that discovery tells), "MQTT bridge".
"""

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.cloud import Cloud, Event
from tools.cloud import packet as mqtt
from tools.cloud.ca import ServerChain, certificate_id
from tools.started import Started

from ..front import Front
from ..manners import Asked, Identity, Manners, Peer, Refused, Work
from .bridge import Bridge
from .rights import is_of

_HIGHEST_QOS = 1  # as the cloud's own; the front hangs up on a PUBLISH of 2


class Core(Started):
    """A core of the local cloud: `async with Core(folder, cloud, "core") as core: …`.

    Args:
        folder: its state, and the CA of its broker's certificate: another folder is another CA.
        cloud: where its things are registered.
        name: its thing's name.
        hosts: its addresses, as discovery tells them and its certificate is for.
        up, down: topic filters whose messages the bridge brings to the cloud, and from it.
        tell: called with each Event.
        server_chain: of its certificate.
    """

    def __init__(
        self,
        folder: Path,
        cloud: Cloud,
        name: str,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
        *,
        up: Sequence[str] = ("telemetry/#",),
        down: Sequence[str] = ("cmd/#",),
        tell: Callable[[Event], None] = lambda event: None,
        server_chain: ServerChain = "p256",
    ) -> None:
        self.name = name
        self.hosts = hosts
        self.things: set[str] = set()
        cloud.registry.create_thing(thingName=name)
        self._front = Front(folder, _Home(self, cloud), hosts, tell, server_chain=server_chain)
        self._front.trust(cloud.root_ca)
        self.bridge = Bridge(folder, cloud, name, up, down, self._front.publish)

    @property
    def ca(self) -> str:
        """The certificate of its CA, PEM."""
        return self._front.root_pem

    @property
    def port(self) -> int:
        return self._front.port

    def associate(self, *things: str) -> None:
        """Let client devices find it and in, as BatchAssociateClientDeviceWithCoreDevice does."""
        self.things.update(things)

    def publish(self, topic: str, payload: bytes) -> None:
        """A message of a component on the core itself, to who subscribed at home."""
        self._front.publish(topic, payload)

    def connected(self, thing: str) -> bool:
        """Whether a thing is connected to it."""
        return self._front.client(thing) is not None

    async def start(self, port: int = 0, listen: str = "127.0.0.1") -> None:
        """Listen on an address, 0 takes any free port; raises OSError. The bridge waits for its cloud."""
        await self._front.start(listen, port)
        self.bridge.start()

    async def stop(self) -> None:
        """End all connections."""
        await self.bridge.stop()
        await self._front.stop()


class _Home(Manners):
    """Lets in things that are associated with the core, by the certificates that the cloud knows them by."""

    verify = ssl.CERT_REQUIRED

    def __init__(self, core: Core, cloud: Cloud) -> None:
        self._core = core
        self._registry = cloud.registry

    def connect(self, asked: Asked) -> Identity:
        thing = asked.packet.client_id
        if thing not in self._core.things:
            raise Refused(f"{thing} is not associated with {self._core.name}", mqtt.BAD_USER_NAME_OR_PASSWORD)
        if not is_of(self._registry, thing, certificate_id(asked.certificate)):
            raise Refused(f"the certificate is not {thing}'s", mqtt.BAD_USER_NAME_OR_PASSWORD)
        return Identity(thing, f"associated with {self._core.name}")

    def publish(self, client: Peer, message: mqtt.Publish) -> Work:
        """Any topic, reserved ones too: what nobody at home subscribed to, and no bridge takes, is lost."""

        def deliver() -> None:
            self._core.publish(message.topic, message.payload)
            self._core.bridge.up(message.topic, message.payload)

        return deliver

    def subscribe(self, client: Peer, topic_filter: str, qos: int) -> int:
        return min(qos, _HIGHEST_QOS)

    def will(self, client: Peer, will: mqtt.Will) -> None:
        self._core.publish(will.topic, will.payload)
