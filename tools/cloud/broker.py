"""Lets clients in, and keeps who is connected: takeover, wills, presence."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from . import connection as wire
from .client import Client, Service
from .errors import InternalFailureException, ResourceNotFoundException
from .events import Event
from .limits import Limits
from .packet import Packet, Will
from .port import Port, end
from .presence import Presence
from .registry import Registry
from .router import Router
from .session import Session
from .store import Store

_SWEEP_S = 1


class Broker:
    """The MQTT endpoint.

    Args:
        context: for mutual TLS.
        registry: certificates and policies.
        store: sessions and retained messages.
        services: what serves the reserved topics.
        limits: AWS's numbers, or others for tests.
        tell: called with each Event; must not raise.
        clock: seconds since 1970, for presence.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        registry: Registry,
        store: Store,
        services: Sequence[Service],
        limits: Limits,
        tell: Callable[[Event], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = registry
        self.router = Router(store, limits)
        self.limits = limits
        self.tell = tell
        self.tell_messages = False
        self.misbehaves: Callable[[Client, Packet], str] = lambda client, packet: ""
        self.on_left: Callable[[Client, Session, str], None] = lambda client, session, reason: None
        self.monotonic = time.monotonic
        self._store = store
        self._services = services
        self._clock = clock
        self._clients: dict[str, Client] = {}
        self._presence = Presence(self.publish, store, clock)
        self._port = Port(context, limits, lambda address: Client(self, address), tell)
        registry.on_certificate_status = self._certificate_changed

    async def start(self, listen: str, port: int) -> int:
        """Listen on an address; returns the port. Raises OSError."""
        taken = await self._port.start(listen, port)
        self._sweeping = asyncio.create_task(self._sweep())
        return taken

    async def stop(self) -> None:
        """Disconnect everyone and stop listening; every task has ended when it returns."""
        for client in list(self._clients.values()):
            client.end(wire.SERVER_INITIATED_DISCONNECT, "the cloud stops")
        await self._port.stop()
        await end([self._sweeping])

    # Connections

    async def _sweep(self) -> None:
        told = None
        while True:
            failure = None
            for sweep in (self.router.expire_sessions, *(service.sweep for service in self._services)):
                try:
                    sweep()
                except InternalFailureException as error:
                    failure = f"what is due is not done: {error}"
            if failure and failure != told:  # once, not each second
                self.tell(Event("server", detail=failure))
            told = failure
            await asyncio.sleep(_SWEEP_S)

    @contextmanager
    def _telling(self, consequence: str) -> Iterator[None]:
        """Around what nobody asked for and nobody else can be told of where it fails."""
        try:
            yield
        except InternalFailureException as error:
            self.tell(Event("server", detail=f"{consequence}: {error}"))

    # For the cloud

    def connected(self, client_id: str) -> Client:
        """A client that is connected. Raises ResourceNotFoundException."""
        client = self._clients.get(client_id)
        if client is None:
            raise ResourceNotFoundException(f"client {client_id} is not connected")
        return client

    def publish(self, topic: str, payload: bytes) -> None:
        """A message of a service's own, to whoever subscribed and may receive it.

        What the state cannot hold is told and lost, as nobody waits for an answer.
        """
        with self._telling(f"{topic} was not sent"):
            self.router.publish(topic, payload, 1)

    # For clients

    def service(self, topic: str) -> Service | None:
        return next((service for service in self._services if service.claims(topic)), None)

    def not_allowed(self, client: Client) -> None:
        """A CONNECT that its policies do not allow."""
        self._presence.connect_failed(client)

    def joining(self, client: Client, clean: bool) -> tuple[Session, bool]:
        """A CONNECT is accepted: whoever has its client id is out (3.1.4-2). Returns as open_session.

        Raises InternalFailureException.
        """
        if old := self._clients.get(client.client_id):
            old.end(wire.DUPLICATE_CLIENTID, f"{client.address} connected with the same client id")
        self._presence.begin(client.client_id)
        return self.router.open_session(client.client_id, clean)

    def joined(self, client: Client) -> None:
        self._clients[client.client_id] = client
        client.connected_s = self._clock()
        self._presence.connected(client)

    def left(self, client: Client, session: Session, reason: str, detail: str, will: Will | None) -> None:
        """A connected client's connection ended."""
        self._clients.pop(client.client_id, None)
        self.on_left(client, session, reason)
        with self._telling(f"the session of {client.client_id} does not expire yet"):
            self.router.close_session(session)
        self.tell(
            Event("disconnected", client.address, client.client_id, client.certificate_id, reason, detail)
        )
        if will is not None:
            with self._telling(f"the will of {client.client_id} was not sent"):
                self._publish_will(client, will)
        self._presence.disconnected(client, reason)

    def _publish_will(self, client: Client, will: Will) -> None:
        if client.may_publish(will.topic, will.retain):
            sender = client.client_id, client.certificate_id
            self.router.publish(will.topic, will.payload, will.qos, will.retain, sender)
        else:
            detail = f"its will on {will.topic} is not allowed and was not sent"
            self.tell(
                Event("rejected", client.address, client.client_id, client.certificate_id, "will", detail)
            )

    def _certificate_changed(self, certificate_id: str, status: str) -> None:
        if status == "ACTIVE":
            return
        for client in list(self._clients.values()):
            if client.certificate_id == certificate_id:
                client.end(wire.AUTH_ERROR, f"certificate {certificate_id[:12]}… is {status}")
