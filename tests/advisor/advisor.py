"""AWS IoT Device Advisor's side of a test: a broker that hears every packet of one device, and misbehaves."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.advisor.wire import Wire
from tests.patience import until
from tests.system.house import ALL, HOST, START_S, WIFI, House
from tools.cloud import packet as mqtt
from tools.cloud.client import Client
from tools.cloud.misbehaviour import Misbehaviour
from tools.sim import Device

NAME = "esp32-240ac4000001"
TELEMETRY, COMMANDS = f"telemetry/{NAME}", f"cmd/{NAME}"
# It publishes with both QoS and listens with QoS 1, as Device Advisor asks of a device.
APP = """
    import asyncio

    async def listen(thing):
        async for topic, payload in thing.subscribe("cmd/" + thing.name):
            thing.log.info("app", "got {}", payload.decode())

    async def main(thing):
        thing.run(listen(thing))
        count = 0
        while True:
            count += 1
            thing.publish("telemetry/" + thing.name, {"zero": count})
            thing.publish("telemetry/" + thing.name, {"one": count}, qos=1)
            await asyncio.sleep(5)
"""


@dataclass(frozen=True)
class Heard:
    """A packet of the device's: when by the device's clock, on which connection, and what became of it."""

    at_s: float
    connection: str
    packet: Any
    misbehaved: str


@dataclass
class Advisor(House):
    """A house whose device has a certificate from the start, and whose cloud tells every packet it sends.

    wire: what is between the two. heard: the packets so far. published: by `other`, another client.
    """

    wire: Wire = field(kw_only=True)
    heard: list[Heard] = field(default_factory=list)
    published: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.hosts[HOST] = ("127.0.0.1", self.wire.port)
        self.cloud.gate.on_packet = self._hear
        self.cloud.registry.create_thing(thingName=NAME)
        self.other = self.subscriber(lambda _, payload: self.published.append(payload), COMMANDS)

    def _hear(self, client: Client, packet: mqtt.Packet, kind: str) -> None:
        who = packet.client_id if isinstance(packet, mqtt.Connect) else client.client_id
        if who == NAME:
            self.heard.append(Heard(self.devices[0].chip.clock.time(), client.address, packet, kind))

    def configuration(self, **aws: object) -> dict[str, Any]:
        """For a thing whose certificate may do anything."""
        certificate, key = self.cloud.create_identity(ALL)
        own = {"thing_name": NAME, "certificate": certificate, "key": key}
        section = {"endpoint": HOST, "port": self.cloud.port, "root_ca": self.cloud.root_ca}
        return {"wifi": [WIFI], "aws": section | own | aws}

    async def start(self, app: str | None = APP) -> Device:
        """The device, configured and connected; with `app` None it runs the example application."""
        device = self.device(app)
        await self.normal(device)
        await device.expect(r"cloud: connected", START_S)
        return device

    def of(self, kind: type, since: int = 0, **members: object) -> list[Heard]:
        """What was heard of one kind, with these members, from the packet with the number `since` on."""
        return [
            one
            for one in self.heard[since:]
            if isinstance(one.packet, kind)
            and all(getattr(one.packet, name) == value for name, value in members.items())
        ]

    async def hears(self, kind: type, count: int = 1, since: int = 0, **members: object) -> list[Heard]:
        """As `of`, once there are as many."""
        found = partial(self.of, kind, since, **members)
        await until(lambda: len(found()) >= count, f"{count} {kind.__name__} with {members}")
        return found()

    def misbehave(self, *texts: str) -> None:
        """As `tools cloud --misbehave` has it, and no longer as it was told before."""
        self.cloud.gate.rules[:] = [Misbehaviour.of(text) for text in texts]

    def hang_up(self, forget_session: bool = False) -> None:
        """Disconnect the device."""
        self.cloud.connections.delete_connection(clientId=NAME, cleanSession=forget_session)

    @property
    def connected(self) -> bool:
        """Whether the device is."""
        return bool(self.cloud.connections.get_connection(clientId=NAME)["connected"])

    async def publish(self, payload: bytes) -> None:
        """Have the other client send a message on COMMANDS with QoS 1; returns when the broker has it."""
        self.other.publish(COMMANDS, payload)
        await until(lambda: payload in self.published, "the message at the broker")
