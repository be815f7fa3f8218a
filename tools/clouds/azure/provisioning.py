"""The Device Provisioning Service: who is enrolled is told its hub, and the hub of it.

Source: "Communicate with DPS using the MQTT protocol". A CONNECT needs no more than the right form; who it is
is judged when it registers (https://github.com/MicrosoftDocs/azure-docs/issues/43157).
"""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tools.cloud import documents
from tools.cloud import packet as mqtt
from tools.cloud.ca import certificate_id
from tools.cloud.events import Event

from ..manners import Asked, HangUp, Identity, Peer, Refused, Work
from . import bag, sas
from .enrolments import Enrolment, common_name
from .errors import ServiceError
from .hub import Hub

_USER_NAME = re.compile(r"(?P<scope>[^/]+)/registrations/(?P<id>[^/]+)/(?P<query>api-version=.*)")
_ANSWERS = "$dps/registrations/res/"
_REGISTER = "$dps/registrations/PUT/iotdps-register/"
_STATUS = "$dps/registrations/GET/iotdps-get-operationstatus/"
_REMEMBERED = 1000  # operations
# The page asks for skn=registration; Microsoft's SDK for Python sends none, and gets in.
_POLICIES = ("", "registration")


@dataclass(frozen=True)
class Claim(Identity):
    """Who registers, and by what: nothing of it is judged yet.

    Args:
        registration_id: whose registration it is.
        token: what it has signed, None where it shows a certificate.
        certificate: DER.
    """

    registration_id: str = ""
    token: sas.Token | None = None
    certificate: bytes = b""


@dataclass
class _Operation:
    registration_id: str
    ready_s: float
    status: str
    state: dict[str, Any]


class Provisioning:
    """One instance of DPS, linked to one hub.

    Args:
        hub: where devices are assigned.
        trust: take a certificate (PEM) in the handshake.
        clock: seconds since 1970.
        tell: called with the Event of each refusal.
        id_scope: the instance's name.
        retry_after_s: for how long an operation is "assigning".
    """

    def __init__(
        self,
        hub: Hub,
        trust: Callable[[str], None],
        clock: Callable[[], float],
        tell: Callable[[Event], None],
        id_scope: str = "0ne00000001",
        retry_after_s: int = 3,
    ) -> None:
        self.id_scope = id_scope
        self.retry_after_s = retry_after_s
        self.throttled = 0  # so many of the next requests are answered with 429
        self._hub = hub
        self._trust = trust
        self._clock = clock
        self._tell = tell
        self._enrolments: dict[str, Enrolment] = {}
        self._operations: dict[str, _Operation] = {}

    # For services

    def enrol(
        self, registration_id: str, key: str = "", certificate_pem: str = "", device_id: str = ""
    ) -> Enrolment:
        """One device, by its certificate, or by this key or a new one. Raises ServiceError."""
        return self._enrol(Enrolment(registration_id, certificate=certificate_pem, device_id=device_id), key)

    def enrol_group(self, name: str, key: str = "", ca_pem: str = "") -> Enrolment:
        """All whose certificates a CA has signed, or whose keys are derived. Raises ServiceError."""
        return self._enrol(Enrolment(name, certificate=ca_pem, group=True), key)

    def remove(self, name: str) -> None:
        """Devices that were assigned stay what they are. Raises ServiceError."""
        if self._enrolments.pop(name, None) is None:
            raise ServiceError(404201, f"no enrolment {name}")

    def _enrol(self, enrolment: Enrolment, key: str) -> Enrolment:
        if enrolment.name in self._enrolments:
            raise ServiceError(409201, f"there is an enrolment {enrolment.name}")
        if enrolment.certificate:
            self._trust(enrolment.certificate)
        else:
            enrolment.keys = sas.checked_key(key or sas.new_key()), sas.new_key()
        self._enrolments[enrolment.name] = enrolment
        return enrolment

    # For the front

    @staticmethod
    def claims(user_name: str) -> bool:
        """Whether a CONNECT is for DPS, by its user name."""
        return _USER_NAME.fullmatch(user_name) is not None

    def connect(self, asked: Asked) -> Claim:
        """Judge the form of a CONNECT. Raises Refused."""
        packet = asked.packet
        parts = _USER_NAME.fullmatch(packet.user_name)
        assert parts is not None  # it claims it
        registration_id = parts["id"]
        if parts["scope"] != self.id_scope:
            raise Refused(f"the id scope is {parts['scope']}, here it is {self.id_scope}")
        if registration_id != packet.client_id:
            raise Refused(f"the user name is for {registration_id}, the client id is {packet.client_id}")
        if not packet.password:
            if not asked.certificate:
                raise Refused("neither a token nor a certificate")
            if (shown := common_name(asked.certificate)) != registration_id:
                raise Refused(f"the certificate's common name is {shown}, the registration {registration_id}")
        try:
            token = sas.parse(packet.password) if packet.password else None
        except sas.TokenError as error:
            raise Refused(str(error)) from None
        return Claim(
            f"dps/{registration_id}", "to register with DPS", None, False,
            registration_id, token, asked.certificate,
        )  # fmt: skip

    def publish(self, client: Peer, claim: Claim, message: mqtt.Publish) -> Work:
        """Judge a PUBLISH. Raises HangUp."""
        path, _, query = message.topic.partition("?")
        request_id = bag.request_id(query)
        if request_id is None or path not in (_REGISTER, _STATUS):
            raise HangUp(f"PUBLISH on {message.topic}, which DPS does not have")

        def answer() -> None:
            try:
                if self.throttled:
                    self.throttled -= 1
                    raise ServiceError(429000, "too many requests")
                if path == _REGISTER:
                    status, body = self._register(claim, message.payload)
                else:
                    status, body = self._look_up(claim, bag.decode(query).get("operationId") or "")
            except ServiceError as error:
                status, body = error.code // 1000, self._error(error)
                self._tell(Event("rejected", "", client.client_id, reason="DPS", detail=str(error)))
            wait = f"&retry-after={self.retry_after_s}" if status in (202, 429) else ""
            topic = f"{_ANSWERS}{status}/?$rid={quote(request_id, safe='')}{wait}"
            client.send(topic, json.dumps(body).encode(), 0)

        return answer

    @staticmethod
    def subscribe(topic_filter: str, qos: int) -> int:
        """Judge a filter. Raises HangUp."""
        if topic_filter != f"{_ANSWERS}#":
            raise HangUp(f"SUBSCRIBE to {topic_filter}, which DPS does not have")
        return min(qos, 1)

    def _register(self, claim: Claim, payload: bytes) -> tuple[int, dict[str, Any]]:
        try:
            asked = documents.load(payload.decode())
        except ValueError as error:  # UnicodeDecodeError is one, too
            raise ServiceError(400004, f"the body {error}") from None
        if asked.get("registrationId") != claim.registration_id:
            raise ServiceError(400004, f"the body's registrationId is not {claim.registration_id}")
        enrolment, keys = self._judge(claim)
        operation_id = f"4.{uuid.uuid4().hex[:16]}.{uuid.uuid4()}"
        now = self._iso()
        state: dict[str, Any] = {
            "registrationId": claim.registration_id, "createdDateTimeUtc": now, "lastUpdatedDateTimeUtc": now,
        }  # fmt: skip
        status = "assigned" if enrolment.enabled else "disabled"
        if enrolment.enabled:
            device_id = enrolment.device_id or claim.registration_id
            self._hub.assign(device_id, keys, "" if keys else certificate_id(claim.certificate))
            state |= {"assignedHub": self._hub.hosts[0], "deviceId": device_id}
            state |= {"substatus": "initialAssignment", "etag": f'"{operation_id}"'}
        state |= {"status": status}
        ready_s = self._clock() + self.retry_after_s
        if len(self._operations) >= _REMEMBERED:
            del self._operations[next(iter(self._operations))]
        self._operations[operation_id] = _Operation(claim.registration_id, ready_s, status, state)
        return 202, {"operationId": operation_id, "status": "assigning"}

    def _look_up(self, claim: Claim, operation_id: str) -> tuple[int, dict[str, Any]]:
        operation = self._operations.get(operation_id)
        if operation is None or operation.registration_id != claim.registration_id:
            raise ServiceError(404203, "no such operation")
        if self._clock() < operation.ready_s:
            return 202, {"operationId": operation_id, "status": "assigning"}
        return 200, {
            "operationId": operation_id, "status": operation.status, "registrationState": operation.state,
        }  # fmt: skip

    def _judge(self, claim: Claim) -> tuple[Enrolment, tuple[str, ...]]:
        """Whose enrolment this is, and the device's keys by it; an individual one comes before a group."""
        said = f"no enrolment is for {claim.registration_id}"
        for enrolment in sorted(self._enrolments.values(), key=lambda one: one.group):
            keys = enrolment.keys_of(claim.registration_id)
            if claim.token is None:
                if enrolment.vouches(claim.registration_id, claim.certificate):
                    return enrolment, ()
            elif keys:
                resource = f"{self.id_scope}/registrations/{claim.registration_id}"
                try:
                    claim.token.judge(resource, keys, self._clock(), _POLICIES)
                    return enrolment, keys
                except sas.TokenError as error:
                    said = str(error)
        raise ServiceError(401000 if claim.token else 401002, said)

    def _error(self, error: ServiceError) -> dict[str, Any]:
        """The body of a refusal, which tells a stranger less than the front's log."""
        text = {401000: "Unauthorized", 401002: "Invalid certificate."}.get(error.code, error.text)
        return {
            "errorCode": error.code, "trackingId": str(uuid.uuid4()), "message": text,
            "timestampUtc": self._iso(),
        }  # fmt: skip

    def _iso(self) -> str:
        return f"{datetime.fromtimestamp(self._clock(), UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
