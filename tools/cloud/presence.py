"""Lifecycle events: who came, who went and why, who may not come.

Source: AWS IoT Developer Guide, "Lifecycle events".
"""

import json
import secrets
from collections.abc import Callable, Mapping

from . import topics
from .client import Client
from .connection import CLIENT_INITIATED_DISCONNECT
from .store import Store


class Presence:
    """Publishes them; a client id with a wildcard in it has none, as on AWS.

    Args:
        publish: a message to whoever subscribed.
        store: counts the connections of each client id.
        clock: seconds since 1970.
    """

    def __init__(
        self, publish: Callable[[str, bytes], None], store: Store, clock: Callable[[], float]
    ) -> None:
        self._publish = publish
        self._store = store
        self._clock = clock
        self._connections: dict[str, tuple[str, int]] = {}

    def begin(self, client_id: str) -> None:
        """A connection with this client id begins. Raises InternalFailureException."""
        version = self._store.next_presence_version(client_id)
        self._connections[client_id] = (secrets.token_hex(16), version)

    def connected(self, client: Client) -> None:
        self._tell_version(client, "connected", {"ipAddress": _host(client)})

    def disconnected(self, client: Client, reason: str) -> None:
        initiated = reason == CLIENT_INITIATED_DISCONNECT
        more = {"clientInitiatedDisconnect": initiated, "disconnectReason": reason}
        self._tell_version(client, "disconnected", more)
        self._connections.pop(client.client_id, None)

    def connect_failed(self, client: Client) -> None:
        """Its policies do not allow iot:Connect."""
        more = {"connectFailureReason": "AUTHORIZATION_FAILED", "ipAddress": _host(client)}
        self._tell(client, "connect_failed", secrets.token_hex(16), more)

    def _tell_version(self, client: Client, event: str, more: Mapping[str, object]) -> None:
        identifier, version = self._connections[client.client_id]
        self._tell(client, event, identifier, {"versionNumber": version, **more})

    def _tell(self, client: Client, event: str, identifier: str, more: Mapping[str, object]) -> None:
        if topics.has_wildcard(client.client_id):
            return
        payload = {
            "clientId": client.client_id,
            "timestamp": int(self._clock() * 1000),
            "eventType": event,
            "sessionIdentifier": identifier,
            "principalIdentifier": client.certificate_id,
        }
        topic = f"$aws/events/presence/{event}/{client.client_id}"
        self._publish(topic, json.dumps({**payload, **more}).encode())


def _host(client: Client) -> str:
    return client.address.rpartition(":")[0]
