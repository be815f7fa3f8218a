"""An IoT Hub and its DPS behind one port: a CONNECT's user name says for which of them it is."""

import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tools.cloud import packet as mqtt
from tools.cloud.ca import ServerChain
from tools.cloud.events import Event

from ..front import Front
from ..manners import Asked, Identity, Manners, Peer, Work
from .hub import Hub
from .provisioning import Claim, Provisioning

_DPS_HOST = "global.azure-devices-provisioning.net"


class Azure(Manners):
    """Its state but for sessions ends with it. `hub` and `dps` are what their services' SDKs do.

    Args:
        folder: see Front.
        hosts: the hub's names, of which the first is the one that DPS tells.
        tell: called with each Event; must not raise.
        clock: seconds since 1970.
        server_chain: what the server shows in a handshake.

    Raises:
        StateError: the folder is in use, or damaged.
    """

    # 1.5 keep-alives are at most 29.45 minutes; "a device can only subscribe to five topics at a time".
    limits = replace(
        Manners.limits, keep_alive_max_s=1178, payload_bytes=256 * 1024, subscriptions_per_connection=5
    )
    verify = ssl.CERT_OPTIONAL

    def __init__(
        self,
        folder: Path,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
        tell: Callable[[Event], None] = lambda event: None,
        clock: Callable[[], float] = time.time,
        server_chain: ServerChain = "p256",
    ) -> None:
        self.front = Front(folder, self, (*hosts, _DPS_HOST), tell, clock, server_chain)
        self.hub = Hub(hosts, self.front.client, self.front.trust, clock)
        self.dps = Provisioning(self.hub, self.front.trust, clock, self.front.say)

    @property
    def port(self) -> int:
        return self.front.port

    @property
    def root_pem(self) -> str:
        return self.front.root_pem

    async def start(self, listen: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port, 0 takes any free one. Raises OSError."""
        return await self.front.start(listen, port)

    async def stop(self) -> None:
        """Disconnect everyone and stop listening."""
        await self.front.stop()

    # Manners

    def connect(self, asked: Asked) -> Identity:
        user_name = asked.packet.user_name
        return self.dps.connect(asked) if self.dps.claims(user_name) else self.hub.connect(asked)

    def publish(self, client: Peer, message: mqtt.Publish) -> Work:
        if isinstance(client.identity, Claim):
            return self.dps.publish(client, client.identity, message)
        return self.hub.publish(client, message)

    def subscribe(self, client: Peer, topic_filter: str, qos: int) -> int:
        if isinstance(client.identity, Claim):
            return self.dps.subscribe(topic_filter, qos)
        return self.hub.subscribe(client, topic_filter, qos)

    def joined(self, client: Peer) -> None:
        if not isinstance(client.identity, Claim):
            self.hub.ready(client)

    def subscribed(self, client: Peer, topic_filter: str) -> None:
        self.joined(client)

    def will(self, client: Peer, will: mqtt.Will) -> None:
        if not isinstance(client.identity, Claim):
            self.hub.will(client, will)

    def left(self, client: Peer, reason: str) -> None:
        if not isinstance(client.identity, Claim):
            self.hub.left(client)
