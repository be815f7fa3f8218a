"""The stand-in itself: devices by their signatures, and what their messages mean."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tools.cloud import packet as mqtt
from tools.cloud.events import Event
from tools.clouds.manners import Asked, HangUp, Identity, Manners, Peer, Refused, Work, nothing
from tools.clouds.standin import StandIn

from .devices import AUTOMATIC, CUSTOM_TOPICS, Device
from .requests import BAD_PARAMETER, OK, AlinkError, OfflineError, Requests, parse, reply
from .sign import SignError, SignIn

_ANSWER_S = 8.0
_AUTOMATIC = "_ss"  # the option of a client id that has the platform subscribe
# Requests of a device below thing/ that are answered and go nowhere.
_INFO = ("deviceinfo/update", "deviceinfo/delete")


class Alibaba(StandIn):
    """A platform of one region. Its arguments are StandIn's."""

    limits = replace(
        Manners.limits,
        payload_bytes=256 * 1024,
        keep_alive_min_s=30,
        keep_alive_max_s=1200,
        session_expiry_s=7 * 24 * 3600,
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.on_post: Callable[[Device, dict[str, Any]], None] = lambda device, values: None
        self._devices: dict[str, Device] = {}
        self._requests = Requests()

    # For operators

    def create_device(
        self, product: str, name: str, secret: str = "", custom_topics: Mapping[str, str] = CUSTOM_TOPICS
    ) -> Device:
        """Make a device; without a secret it gets one. Raises ValueError."""
        if not product.isalnum() or not name or set(name) & set("/+#&|"):
            raise ValueError(f"product {product!r}, device {name!r}: no names")
        device = Device(product, name, secret or secrets.token_hex(16), dict(custom_topics))
        if device.user_name in self._devices:
            raise ValueError(f"device {name} of {product}: there is one already")
        self._devices[device.user_name] = device
        return device

    async def set_property(
        self, device: Device, params: dict[str, Any], timeout_s: float = _ANSWER_S
    ) -> dict[str, Any]:
        """Have the device set properties; returns its answer. Raises OfflineError, TimeoutError."""
        return await self._ask(device, "property/set", "property.set", params, timeout_s)

    async def invoke(
        self, device: Device, service: str, params: Any = None, timeout_s: float = _ANSWER_S
    ) -> dict[str, Any]:
        """Call a service of the device; returns its answer. Raises OfflineError, TimeoutError."""
        return await self._ask(device, service, service, {} if params is None else params, timeout_s)

    def set_desired(self, device: Device, params: dict[str, Any]) -> None:
        """Wish for properties: kept for a device to get them, and sent to one that listens."""
        for name, value in params.items():
            device.desired[name] = value, device.desired.get(name, (None, 0))[1] + 1
        if peer := self.front.client(device.user_name):
            _, payload = self._requests.new("thing.service.property.set", params)
            peer.send(f"{device.system}thing/service/property/set", payload)

    def send(self, device: Device, topic: str, payload: bytes, qos: int = 1) -> None:
        """Send a message on a topic of the device's own, below user/. Raises OfflineError."""
        peer = self.front.client(device.user_name)
        if peer is None or peer.send(device.own + topic, payload, qos) is None:
            raise OfflineError(f"device {device.name}: it is not connected, or does not listen to {topic}")

    # Manners

    def connect(self, asked: Asked) -> Identity:
        packet = asked.packet
        try:
            signed = SignIn.parse(packet.client_id, packet.user_name)
            device = self._devices.get(packet.user_name)
            if device is None:
                raise Refused(f"user name: no device {signed.device} of {signed.product}")
            signed.check(packet.password, device.secret)
        except SignError as error:
            raise Refused(str(error), error.code) from None
        if not self.limits.keep_alive_min_s <= packet.keep_alive_s <= self.limits.keep_alive_max_s:
            raise Refused(f"keep-alive of {packet.keep_alive_s} s, it must be of 30 to 1200 s", None)
        return Identity(device.user_name, "its signature")

    def joined(self, client: Peer) -> None:
        device = self._of(client)
        if SignIn.parse(client.client_id, device.user_name).options.get(_AUTOMATIC) == "1":
            client.subscribe(*((device.system + topic, 1) for topic in AUTOMATIC))

    def publish(self, client: Peer, message: mqtt.Publish) -> Work:
        device = self._of(client)
        if device.may_publish(message.topic):
            kept = message.topic.removeprefix(device.own), message.payload
            return lambda: device.messages.append(kept)
        name = message.topic.removeprefix(f"{device.system}thing/")
        if name == message.topic:
            raise HangUp(f"PUBLISH: {message.topic}: no topic of this device to publish to")
        handler = self._handler(device, name)
        try:
            request = parse(message.payload)
        except AlinkError as error:
            self.front.tell(Event("rejected", client_id=client.client_id, reason=name, detail=str(error)))
            return nothing
        return lambda: self._answer(client, message.topic, name, handler, request)

    def subscribe(self, client: Peer, topic_filter: str, qos: int) -> int:
        return min(qos, 1) if self._of(client).may_subscribe(topic_filter) else mqtt.FAILURE

    # Requests

    def _of(self, client: Peer) -> Device:
        return self._devices[client.identity.name]

    async def _ask(
        self, device: Device, topic: str, service: str, params: Any, timeout_s: float
    ) -> dict[str, Any]:
        identifier, payload = self._requests.new(f"thing.service.{service}", params)
        peer = self.front.client(device.user_name)
        if peer is None or peer.send(f"{device.system}thing/service/{topic}", payload) is None:
            raise OfflineError(f"device {device.name}: it is not connected, or does not listen to {topic}")
        return await self._requests.answer(identifier, timeout_s)

    def _handler(self, device: Device, name: str) -> Callable[[Any], Any] | None:
        """What gives the data of an answer to a device's request, None for its own answers. Raises HangUp."""
        match name.split("/"):
            case ["event", "property", "post"]:
                return lambda params: self._reported(device, params)
            case ["event", identifier, "post"]:
                return lambda params: _happened(device, identifier, params)
            case ["property", "desired", "get"]:
                return lambda params: _desired(device, params)
            case ["property", "desired", "delete"]:
                return lambda params: _forget(device, params)
            case ["service", *_] if name.endswith("_reply"):
                return None
        if name in _INFO:
            return lambda params: {}
        raise HangUp(f"PUBLISH: {device.system}thing/{name}: no topic of the system's to publish to")

    def _answer(
        self,
        client: Peer,
        topic: str,
        name: str,
        handler: Callable[[Any], Any] | None,
        request: dict[str, Any],
    ) -> None:
        if handler is None:
            self._requests.answered(request)
            return
        method = "thing." + name.replace("/", ".")
        try:
            answer = reply(request, method, OK, handler(request.get("params")))
        except (AttributeError, KeyError, TypeError, ValueError):  # parameters of another form
            answer = reply(request, method, BAD_PARAMETER, {}, "request parameter error")
        if request.get("sys") != {"ack": 0}:
            client.send(f"{topic}_reply", answer)

    def _reported(self, device: Device, params: Any) -> dict[str, Any]:
        values = {name: _value(value) for name, value in params.items()}
        device.properties |= values
        device.posts.append(values)
        self.on_post(device, values)
        return {}


def _happened(device: Device, identifier: str, params: Any) -> dict[str, Any]:
    device.events.append((identifier, params["value"]))
    return {}


def _desired(device: Device, params: Any) -> dict[str, Any]:
    if not isinstance(params, list):
        raise TypeError("params: not a list of names")
    found = {name: device.desired[name] for name in params if name in device.desired}
    return {name: {"value": value, "version": version} for name, (value, version) in found.items()}


def _forget(device: Device, params: Any) -> dict[str, Any]:
    for name, asked in params.items():
        if (
            name in device.desired
            and asked.get("version", device.desired[name][1]) == device.desired[name][1]
        ):
            del device.desired[name]
    return {}


def _value(reported: Any) -> Any:
    """A property's value, which may come with its time."""
    timed = isinstance(reported, dict) and reported.keys() == {"value", "time"}
    return reported["value"] if timed else reported
