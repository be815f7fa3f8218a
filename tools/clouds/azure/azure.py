"""An IoT Hub and its DPS behind one port: a CONNECT's user name says for which of them it is."""

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.cloud import packet as mqtt

from ..manners import Asked, Identity, Manners, Peer, Work
from ..standin import HOSTS, StandIn
from .hub import Hub
from .provisioning import Claim, Provisioning

_DPS_HOST = "global.azure-devices-provisioning.net"


class Azure(StandIn):
    """`hub` and `dps` are what their services' SDKs do. Its arguments are StandIn's.

    The first of the hosts, which are the hub's names, is the one that DPS tells.
    """

    # 1.5 keep-alives are at most 29.45 minutes; "a device can only subscribe to five topics at a time".
    limits = replace(
        Manners.limits, keep_alive_max_s=1178, payload_bytes=256 * 1024, subscriptions_per_connection=5
    )
    verify = ssl.CERT_OPTIONAL

    def __init__(self, folder: Path, hosts: tuple[str, ...] = HOSTS, *more: Any, **options: Any) -> None:
        super().__init__(folder, (*hosts, _DPS_HOST), *more, **options)
        front = self.front
        self.hub = Hub(hosts, front.client, front.trust, front.clock)
        self.dps = Provisioning(self.hub, front.trust, front.clock, front.say)

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
