"""The stand-in itself: devices by their public keys, and what their messages mean."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from tools.cloud import packet as mqtt
from tools.cloud.store import Message
from tools.clouds.manners import Asked, HangUp, Identity, Manners, Peer, Refused, Work
from tools.clouds.standin import StandIn

from .devices import Config, Device, NotSubscribedError
from .token import TokenError, judge, load_key

T = TypeVar("T")
_CLIENT_ID = re.compile(r"projects/([^/]+)/locations/([^/]+)/registries/([^/]+)/devices/([^/]+)")
_DEVICE_ID = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9+.%_~-]{2,254}")
_KEYS = 3
_STATE_BYTES = _CONFIG_BYTES = 64 * 1024


class ClearBlade(StandIn):
    """One registry of a project.

    Args:
        folder, hosts, tell, clock, server_chain: StandIn's.
        project, location, registry: what client ids name.
    """

    states_per_s = 1.0  # which a device may report, over a minute; more of them reset the connection

    # It hangs up after 20 minutes without a packet, or after 1.5 keep-alives where those are shorter.
    limits = replace(Manners.limits, payload_bytes=256 * 1024, keep_alive_max_s=20 * 60 / 1.5)

    def __init__(
        self,
        *arguments: Any,
        project: str = "project",
        location: str = "us-central1",
        registry: str = "registry",
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.on_message: Callable[[str, bytes], None] = lambda topic, payload: None
        self._place = project, location, registry
        self._devices: dict[str, Device] = {}
        self._sent: dict[str, tuple[Peer, Message, Config]] = {}  # configurations that wait for a PUBACK

    # For operators

    def create_device(self, device_id: str, *public_keys: str) -> Device:
        """Make a device, whose tokens one of these keys (PEM) signs. Raises ValueError."""
        if not _DEVICE_ID.fullmatch(device_id):
            text = "a letter, then 2 to 254 of A-Z a-z 0-9 + . % _ ~ -, and not goog at the beginning"
            raise ValueError(f"device id {device_id!r}: {text}")
        if device_id in self._devices:
            raise ValueError(f"device id {device_id}: there is one already")
        if len(public_keys) > _KEYS:
            raise ValueError(f"public keys: {len(public_keys)}, {_KEYS} at most")
        self._devices[device_id] = Device(device_id, [load_key(key) for key in public_keys])
        return self._devices[device_id]

    def device(self, device_id: str) -> Device:
        """Raises KeyError."""
        return self._devices[device_id]

    def client_id(self, device_id: str) -> str:
        """What a device connects as."""
        project, location, registry = self._place
        return f"projects/{project}/locations/{location}/registries/{registry}/devices/{device_id}"

    def set_config(self, device_id: str, data: bytes) -> int:
        """Give a device a configuration, at once where it listens; returns its version. Raises ValueError."""
        if len(data) > _CONFIG_BYTES:
            raise ValueError(f"configuration: {len(data)} bytes, {_CONFIG_BYTES} at most")
        device = self._devices[device_id]
        device.config = Config(device.config.version + 1, data)
        if peer := self.front.client(self.client_id(device_id)):
            self._send_config(peer, device)
        return device.config.version

    def send_command(self, device_id: str, data: bytes, subfolder: str = "") -> None:
        """Send a command, which is kept for nobody. Raises NotSubscribedError, ValueError."""
        if len(data) > self.limits.payload_bytes:
            raise ValueError(f"command: {len(data)} bytes, {self.limits.payload_bytes} at most")
        topic = f"{self._devices[device_id].topic}/commands" + (f"/{subfolder}" if subfolder else "")
        peer = self.front.client(self.client_id(device_id))
        if peer is None or peer.granted(topic) is None:
            raise NotSubscribedError(
                f"device {device_id}: it is not connected, or does not listen to commands"
            )
        peer.send(topic, data)

    # Manners

    def connect(self, asked: Asked) -> Identity:
        packet = asked.packet
        named = _CLIENT_ID.fullmatch(packet.client_id)
        if not named or named.groups()[:3] != self._place:
            text = f"client id {packet.client_id}: not one of {self.client_id('DEVICE')}"
            raise Refused(text, mqtt.IDENTIFIER_REJECTED)
        device = self._devices.get(named[4])
        if device is None:
            raise Refused(f"no device {named[4]}", mqtt.IDENTIFIER_REJECTED)
        try:
            token = packet.password.decode("ascii")
            until_s = judge(token, device.keys, self._place[0], self.front.clock())
        except (TokenError, UnicodeDecodeError) as error:
            why = error if isinstance(error, TokenError) else "not of ASCII characters"
            raise Refused(f"token: {why}", mqtt.BAD_USER_NAME_OR_PASSWORD) from None
        return Identity(packet.client_id, "its token", until_s, keeps_session=False)

    def publish(self, client: Peer, message: mqtt.Publish) -> Work:
        device = self._of(client)
        kind, _, subfolder = message.topic.removeprefix(device.topic + "/").partition("/")
        if message.topic.startswith(device.topic + "/"):
            if kind == "events":
                return lambda: self._take(message, device.events, (subfolder, message.payload))
            if kind == "state" and not subfolder:
                if len(message.payload) > _STATE_BYTES:
                    raise HangUp(f"PUBLISH: state of {len(message.payload)} bytes, {_STATE_BYTES} at most")
                if not device.may_report(self.front.clock(), self.states_per_s):
                    raise HangUp(f"PUBLISH: more than {self.states_per_s:g} states a second, over a minute")
                return lambda: self._take(message, device.states, message.payload)
        raise HangUp(f"PUBLISH: {message.topic}: a device has {device.topic}/events[/…] and …/state alone")

    def subscribe(self, client: Peer, topic_filter: str, qos: int) -> int:
        device = self._of(client)
        if topic_filter in (f"{device.topic}/config", f"{device.topic}/commands/#"):
            return min(qos, 1)
        text = f"SUBSCRIBE: {topic_filter}: a device has {device.topic}/config and …/commands/# alone"
        raise HangUp(text)

    def subscribed(self, client: Peer, topic_filter: str) -> None:
        device = self._of(client)
        if topic_filter == f"{device.topic}/config":
            self._send_config(client, device)

    def left(self, client: Peer, reason: str) -> None:
        self.sweep()
        self._sent.pop(self._of(client).id, None)

    def sweep(self) -> None:
        """See which configurations were acknowledged."""
        for device_id, (peer, message, config) in list(self._sent.items()):
            if not peer.holds(message):
                config.acknowledged_s = self.front.clock()
                del self._sent[device_id]

    def _of(self, client: Peer) -> Device:
        return self._devices[client.client_id.rpartition("/")[2]]

    def _take(self, message: mqtt.Publish, kept: deque[T], what: T) -> None:
        kept.append(what)
        self.on_message(message.topic, message.payload)

    def _send_config(self, peer: Peer, device: Device) -> None:
        message = peer.send(f"{device.topic}/config", device.config.data)
        if message is not None and message.qos:
            self._sent[device.id] = peer, message, device.config
