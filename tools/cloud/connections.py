"""Who is connected, by the names and arguments of boto3's `iot-data` client; one is ended, or reached."""

import uuid
from collections.abc import Callable
from typing import Any

from . import topics
from .broker import Broker
from .client import Client
from .connection import API_INITIATED_DISCONNECT
from .errors import (
    ForbiddenException,
    GatewayTimeoutException,
    InvalidRequestException,
    RequestEntityTooLargeException,
    ResourceNotFoundException,
)
from .limits import Limits
from .paging import page
from .registry import Registry
from .session import Session
from .store import Message

_REMEMBERED_S = 30 * 60  # AWS: for 30 minutes
_MAX_REMEMBERED = 1000
_MAX_PAGE = 200
_MAX_TIMEOUT_S = 15


class Connections:
    """Who has just gone is in memory alone, as what is connected is: a restart forgets it.

    Args:
        registry: the things.
        limits: for topics, payloads and sessions.
        clock: seconds since 1970.
    """

    def __init__(self, registry: Registry, limits: Limits, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._limits = limits
        self._clock = clock
        self._broker: Broker | None = None
        self._gone: dict[str, dict[str, Any]] = {}

    def follow(self, broker: Broker) -> None:
        """From now on it is this one's connections."""
        self._broker = broker
        broker.on_left = self._left

    def get_connection(self, *, clientId: str, includeSocketInformation: bool = False) -> dict[str, Any]:
        """One that is there, or that went within the last 30 minutes."""
        _, client, session = self._find(clientId)
        if client is not None and session is not None:
            shown = {"connected": True} | self._describe(client, session)
            return shown if includeSocketInformation else _without_sockets(shown)
        self._forget_old()
        if (gone := self._gone.get(clientId)) is not None:
            return gone if includeSocketInformation else _without_sockets(gone)
        if session is None:
            raise ResourceNotFoundException(f"client {clientId} is not connected")
        return {"connected": False, "clientId": clientId} | self._session(session)

    def delete_connection(
        self, *, clientId: str, cleanSession: bool = False, preventWillMessage: bool = False
    ) -> None:
        """Disconnect a client; its persistent session goes with it, or is kept."""
        broker, client, session = self._find(clientId)
        if client is None and session is None:
            raise ResourceNotFoundException(f"client {clientId} is not connected and has no session")
        if client is not None:
            client.end(API_INITIATED_DISCONNECT, "DeleteConnection", will=not preventWillMessage)
        if cleanSession:
            broker.router.forget_session(clientId)

    def list_subscriptions(
        self, *, clientId: str, nextToken: str | None = None, maxResults: int = 20
    ) -> dict[str, Any]:
        """Of a client that is connected, or that left a persistent session."""
        _, _, session = self._find(clientId)
        if session is None:
            raise ResourceNotFoundException(f"client {clientId} is not connected and has no session")
        found = [{"topicFilter": f, "qos": qos} for f, qos in sorted(session.subscriptions.items())]
        return page("subscriptions", found, nextToken, maxResults, _MAX_PAGE, InvalidRequestException)

    async def send_direct_message(
        self,
        *,
        clientId: str,
        topic: str,
        payload: bytes = b"",
        confirmation: bool = False,
        timeout: int = 5,  # noqa: ASYNC109  AWS's name
    ) -> dict[str, Any]:
        """To one client on a topic that it need not have subscribed to; without AWS's arguments of MQTT 5.

        Raises:
            GatewayTimeoutException: with `confirmation`, no PUBACK within `timeout` (1 to 15 s).
            ForbiddenException: its policies do not allow iot:Receive on the topic.
        """
        if confirmation and not 1 <= timeout <= _MAX_TIMEOUT_S:
            raise InvalidRequestException(f"timeout: {timeout}, must be 1 to {_MAX_TIMEOUT_S}")
        if topics.is_reserved(topic) or (error := topics.topic_error(topic, self._limits)):
            raise InvalidRequestException(f"topic: {error if not topics.is_reserved(topic) else 'reserved'}")
        if len(payload) > self._limits.payload_bytes:
            raise RequestEntityTooLargeException(
                f"payload: {len(payload)} bytes, more than {self._limits.payload_bytes}"
            )
        broker, client, _ = self._find(clientId)
        client = client or broker.connected(clientId)
        if not client.may_receive(topic):
            raise ForbiddenException(f"client {clientId} may not receive on {topic}")
        message = Message(topic, payload, int(confirmation), private=True)
        if not await client.direct(message, timeout):
            raise GatewayTimeoutException(f"client {clientId} did not acknowledge within {timeout} s")
        return {"message": "OK", "traceId": str(uuid.uuid4())}

    def _find(self, client_id: str) -> tuple[Broker, Client | None, Session | None]:
        if not 1 <= len(client_id) <= self._limits.client_id_bytes or client_id.startswith("$"):
            raise InvalidRequestException(f"clientId {client_id!r}: must be 1 to 128 and not begin with $")
        if self._broker is None:
            raise ResourceNotFoundException(f"client {client_id} is not connected")
        session = self._broker.router.session(client_id)
        try:
            return self._broker, self._broker.connected(client_id), session
        except ResourceNotFoundException:
            return self._broker, None, session

    def _left(self, client: Client, session: Session, reason: str) -> None:
        gone = {"connected": False} | self._describe(client, session)
        del gone["connectedSince"]
        self._gone.pop(client.client_id, None)
        self._gone[client.client_id] = gone | {
            "disconnectedSince": int(self._clock() * 1000),
            "disconnectReason": reason,
        }
        self._forget_old()

    def _forget_old(self) -> None:
        oldest_ms = (self._clock() - _REMEMBERED_S) * 1000
        for client_id, gone in list(self._gone.items()):  # the oldest first
            if len(self._gone) <= _MAX_REMEMBERED and gone["disconnectedSince"] > oldest_ms:
                return
            del self._gone[client_id]

    def _describe(self, client: Client, session: Session) -> dict[str, Any]:
        host, _, port = client.address.rpartition(":")
        target, target_port = client.local_address
        principal = self._registry.arn(f"cert/{client.certificate_id}")
        things = self._registry.list_principal_things(principal=principal)["things"]
        name = client.client_id if client.client_id in things else next(iter(things), None)
        return (
            {
                "clientId": client.client_id,
                "keepAliveDuration": client.keep_alive_s,
                "connectedSince": int(client.connected_s * 1000),
                "sourceIp": host,
                "sourcePort": int(port),
                "targetIp": target,
                "targetPort": target_port,
            }
            | self._session(session)
            | ({"thingName": name} if name else {})
        )

    def _session(self, session: Session) -> dict[str, Any]:
        expiry_s = int(self._limits.session_expiry_s) if session.persistent else 0
        return {"cleanSession": not session.persistent, "sessionExpiry": expiry_s}


def _without_sockets(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if not name.startswith(("source", "target"))}
