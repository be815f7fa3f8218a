"""An IoT Hub: telemetry, cloud-to-device messages, twins, direct methods.

Source: "Communicate with an IoT hub using the MQTT protocol", and the guide's pages on each of them.
"""

import asyncio
import itertools
import json
import re
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tools.cloud import connection as wire
from tools.cloud import documents
from tools.cloud import packet as mqtt
from tools.cloud.ca import certificate_id

from ..manners import Asked, HangUp, Identity, Peer, Work
from . import bag, login, sas
from .devices import Device, Telemetry
from .errors import ServiceError
from .inbox import Inbox, topic_of

_DEVICE_ID = re.compile(r"[A-Za-z0-9._:@=,;!*()'%-]{1,128}")
_METHOD_ANSWER = re.compile(r"\$iothub/methods/res/(?P<status>-?[0-9]{1,9})/\?(?P<bag>.*)")
_TWIN_ANSWER = "$iothub/twin/res/"
_DESIRED = "$iothub/twin/PATCH/properties/desired/"
_METHODS = "$iothub/methods/POST/"
_KEPT = 10_000
_TTL_S = 3600
_METHOD_BYTES = 128 * 1024
_HUB_BYTES = 256 * 1024

Find = Callable[[str], Peer | None]


class Hub:
    """One hub's devices. What a service's SDK does is a method here.

    Args:
        hosts: its names, in user names and tokens; the first is told to devices.
        connected: the client of a device, None where it is not connected.
        trust: take a certificate (PEM) in the handshake.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        hosts: tuple[str, ...],
        connected: Find,
        trust: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.hosts = hosts
        self.telemetry: deque[Telemetry] = deque(maxlen=_KEPT)
        self.on_telemetry: Callable[[Telemetry], None] = lambda telemetry: None
        self._connected = connected
        self._trust = trust
        self._clock = clock
        self._devices: dict[str, Device] = {}
        self._calls: dict[tuple[str, str], asyncio.Future[tuple[int, Any]]] = {}
        self._numbers = itertools.count(1)

    # For services

    def create_device(self, device_id: str, key: str = "", certificate_pem: str = "") -> Device:
        """A device that shows a certificate, or signs with this key or a new one. Raises ServiceError."""
        if device_id in self._devices:
            raise ServiceError(409001, f"there is a device {device_id}")
        if not _DEVICE_ID.fullmatch(device_id):
            raise ServiceError(400000, f"{device_id[:40]!r} is no device id")
        if certificate_pem:
            self._trust(certificate_pem)
            return self.assign(device_id, (), certificate_id(certificate_pem))
        return self.assign(device_id, (sas.checked_key(key or sas.new_key()), sas.new_key()), "")

    def assign(self, device_id: str, keys: tuple[str, ...], thumbprint: str) -> Device:
        """A device that DPS sends: one that is there keeps its twin and gets in by these from now on."""
        device = self._devices.setdefault(device_id, Device(device_id, Inbox(device_id, self._clock)))
        device.keys, device.thumbprint = keys, thumbprint
        return device

    def device(self, device_id: str) -> Device:
        """Raises ServiceError."""
        device = self._devices.get(device_id)
        if device is None:
            raise ServiceError(404001, f"no device {device_id}")
        return device

    def devices(self) -> list[str]:
        return sorted(self._devices)

    def delete_device(self, device_id: str) -> None:
        """Its connection ends, too. Raises ServiceError."""
        del self._devices[self.device(device_id).device_id]
        self._end(device_id, "the device was deleted")

    def enable_device(self, device_id: str, enabled: bool = True) -> None:
        """A device that is disabled is disconnected and refused. Raises ServiceError."""
        self.device(device_id).enabled = enabled
        if not enabled:
            self._end(device_id, "the device was disabled")

    def connection_string(self, device_id: str) -> str:
        """For the device SDKs. Raises ServiceError."""
        key = self.device(device_id).keys[0]
        return f"HostName={self.hosts[0]};DeviceId={device_id};SharedAccessKey={key}"

    def patch_desired(self, device_id: str, change: dict[str, Any]) -> int:
        """Change desired properties; returns their version. Raises ServiceError."""
        section = self.device(device_id).desired
        section.patch(change)
        if client := self._connected(device_id):
            body = json.dumps({**change, "$version": section.version}).encode()
            client.send(f"{_DESIRED}?$version={section.version}", body, 0)
        return section.version

    def reported(self, device_id: str) -> dict[str, Any]:
        """What a device reported. Raises ServiceError."""
        return dict(self.device(device_id).reported.values)

    async def invoke(
        self, device_id: str, method: str, payload: object = None, timeout_s: float = 30
    ) -> tuple[int, Any]:
        """Call a direct method; returns status and payload of the device. Raises ServiceError."""
        self.device(device_id)
        client = self._connected(device_id)
        body = json.dumps(payload).encode()
        if len(body) > _METHOD_BYTES:
            raise ServiceError(413001, f"a payload of {len(body)} bytes, at most {_METHOD_BYTES} are taken")
        number = f"{next(self._numbers):x}"
        call = asyncio.get_running_loop().create_future()
        self._calls[device_id, number] = call
        topic = f"{_METHODS}{quote(method, safe='')}/?$rid={number}"
        try:
            if client is None or client.send(topic, body, 0) is None:
                raise ServiceError(404103, f"{device_id} is not connected, or not subscribed to methods")
            async with asyncio.timeout(timeout_s):
                return await call
        except TimeoutError:
            raise ServiceError(504101, f"{device_id} did not answer {method} in {timeout_s:g} s") from None
        finally:
            del self._calls[device_id, number]

    def send(
        self,
        device_id: str,
        payload: bytes,
        properties: bag.Properties | None = None,
        message_id: str = "",
        ttl_s: float = _TTL_S,
    ) -> None:
        """A cloud-to-device message, kept until the device acknowledges it. Raises ServiceError."""
        inbox = self.device(device_id).inbox
        inbox.put(payload, properties or {}, message_id, ttl_s, self._connected(device_id))

    def waiting(self, device_id: str) -> int:
        """How many messages the device has not acknowledged. Raises ServiceError."""
        return self.device(device_id).inbox.length(self._connected(device_id))

    # For the front

    def connect(self, asked: Asked) -> Identity:
        """Judge a CONNECT. Raises Refused."""
        device, identity = login.judge(asked, self.hosts, self._devices, self._clock())
        if asked.packet.clean_session:
            device.inbox.clear()  # "only messages that were sent after the time of the subscription"
        return identity

    def publish(self, client: Peer, message: mqtt.Publish) -> Work:
        """Judge a PUBLISH. Raises HangUp."""
        device, topic = self._devices[client.identity.name], message.topic
        path, _, query = topic.partition("?")
        if topic == login.events(device.device_id) or topic.startswith(login.events(device.device_id) + "/"):
            if len(topic.encode()) + len(message.payload) > _HUB_BYTES:
                raise HangUp(f"a message of more than {_HUB_BYTES} bytes")
            return lambda: self._take(device, topic, message)
        if answer := _METHOD_ANSWER.fullmatch(topic):
            body = _json(message.payload)
            number = bag.request_id(answer["bag"]) or ""
            return lambda: self._answer(device, number, int(answer["status"]), body)
        request_id = bag.request_id(query)
        if request_id is None:
            raise HangUp(f"PUBLISH on {topic}: IoT Hub has no topics of one's own")
        if path == "$iothub/twin/GET/":
            return lambda: self._get_twin(client, device, request_id)
        if path == "$iothub/twin/PATCH/properties/reported/":
            return lambda: self._report(client, device, request_id, message.payload)
        raise HangUp(f"PUBLISH on {topic}: IoT Hub has no topics of one's own")

    def subscribe(self, client: Peer, topic_filter: str, qos: int) -> int:
        """Judge a filter. Raises HangUp."""
        own = topic_of(client.identity.name)
        if topic_filter not in (f"{own}#", f"{_TWIN_ANSWER}#", f"{_DESIRED}#", f"{_METHODS}#"):
            raise HangUp(f"SUBSCRIBE to {topic_filter}: IoT Hub has no topics of one's own")
        return min(qos, 1)

    def ready(self, client: Peer) -> None:
        """It is connected, or subscribed to something: what waits for it may go."""
        self._devices[client.identity.name].inbox.deliver(client)

    def will(self, client: Peer, will: mqtt.Will) -> None:
        """It ended without a word: its will is telemetry."""
        device = self._devices.get(client.identity.name)
        if device is not None:
            message = mqtt.Publish(will.topic, will.payload, will.qos, will.retain)
            self._take(device, will.topic, message, {"iothub-MessageType": "Will"})

    def left(self, client: Peer) -> None:
        """Its connection ended: what it did not acknowledge waits again."""
        device = self._devices.get(client.identity.name)
        if device is not None:
            device.inbox.take_back(client)

    def _end(self, device_id: str, detail: str) -> None:
        if client := self._connected(device_id):
            client.end(wire.AUTH_ERROR, detail)

    def _take(
        self, device: Device, topic: str, message: mqtt.Publish, more: bag.Properties | None = None
    ) -> None:
        properties = bag.decode(topic.removeprefix(login.events(device.device_id)).removeprefix("/"))
        if message.retain:
            properties["mqtt-retain"] = "true"
        taken = Telemetry(device.device_id, message.payload, {**properties, **(more or {})}, message.qos)
        self.telemetry.append(taken)
        self.on_telemetry(taken)

    def _answer(self, device: Device, number: str, status: int, body: object) -> None:
        call = self._calls.get((device.device_id, number))
        if call is not None and not call.done():  # a late one is nobody's
            call.set_result((status, body))

    def _get_twin(self, client: Peer, device: Device, request_id: str) -> None:
        twin = {"desired": device.desired.document(), "reported": device.reported.document()}
        client.send(f"{_TWIN_ANSWER}200/?{_rid(request_id)}", json.dumps(twin).encode(), 0)

    def _report(self, client: Peer, device: Device, request_id: str, payload: bytes) -> None:
        try:
            device.reported.patch(documents.load(payload.decode()))
        except ServiceError as error:
            self._refuse(client, request_id, error)
        except ValueError as error:  # UnicodeDecodeError is one, too
            self._refuse(client, request_id, ServiceError(400000, f"the body {error}"))
        else:
            version = f"&$version={device.reported.version}"
            client.send(f"{_TWIN_ANSWER}204/?{_rid(request_id)}{version}", b"", 0)

    def _refuse(self, client: Peer, request_id: str, error: ServiceError) -> None:
        body = json.dumps({"errorCode": error.code, "message": str(error)}).encode()
        client.send(f"{_TWIN_ANSWER}{error.code // 1000}/?{_rid(request_id)}", body, 0)


def _rid(request_id: str) -> str:
    return f"$rid={quote(request_id, safe='')}"


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload) if payload else None
    except (ValueError, RecursionError) as error:
        raise HangUp(f"a method's answer is not JSON: {error}") from None
