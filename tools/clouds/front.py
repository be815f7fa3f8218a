"""An MQTT 3.1.1 endpoint over TLS with the manners of another cloud."""

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from tools.cloud import connection as wire
from tools.cloud.ca import Authority, ServerChain
from tools.cloud.database import Database
from tools.cloud.errors import InternalFailureException
from tools.cloud.events import Event
from tools.cloud.packet import Will
from tools.cloud.port import Port, end
from tools.cloud.router import Router
from tools.cloud.session import Session
from tools.cloud.store import Store

from .client import Client
from .manners import Manners

_SWEEP_S = 0.2


class Front:
    """Lets clients in by its manners and keeps who is connected; a vendor's stand-in has one.

    Args:
        folder: its state: sessions and retained messages, and the CA of its server's certificate. Made where
            it is not there.
        manners: the vendor's.
        hosts: names and addresses that the certificate is for.
        tell: called with each Event; must not raise.
        clock: seconds since 1970.
        server_chain: what the server shows in a handshake.

    Raises:
        StateError: the folder is in use, or damaged.
    """

    def __init__(
        self,
        folder: Path,
        manners: Manners,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
        tell: Callable[[Event], None] = lambda event: None,
        clock: Callable[[], float] = time.time,
        server_chain: ServerChain = "p256",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.manners = manners
        self.tell = tell
        self.tell_messages = False
        self.clock = clock
        self.port = 0
        authority = Authority(folder, server_chain)
        self.root_pem = authority.root_pem
        self._context = authority.server_context(hosts, mutual=False)
        self._context.verify_mode = manners.verify
        self._context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a trusted certificate needs no issuer
        self._database = Database(folder)
        self.router = Router(Store(self._database, manners.limits.session_expiry_s, clock), manners.limits)
        self._clients: dict[str, Client] = {}
        self._port = Port(self._context, manners.limits, lambda address: Client(self, address), self.say)

    def trust(self, certificate_pem: str) -> None:
        """Take clients that show this certificate, or one that it has signed; there is no way back."""
        self._context.load_verify_locations(cadata=certificate_pem)

    async def start(self, listen: str = "127.0.0.1", port: int = 0) -> int:
        """Listen on an address; returns the port, 0 takes any free one. Raises OSError."""
        self.port = await self._port.start(listen, port)
        self._sweeping = asyncio.create_task(self._sweep())
        return self.port

    async def stop(self) -> None:
        """Disconnect everyone and stop listening; every task has ended when it returns."""
        for client in list(self._clients.values()):
            client.end(wire.SERVER_INITIATED_DISCONNECT, "the cloud stops")
        await self._port.stop()
        await end([self._sweeping])
        self._database.close()

    def client(self, name: str) -> Client | None:
        """Who is connected with the identity of this name."""
        return self._clients.get(name)

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """A message to whoever subscribed. Raises InternalFailureException."""
        self.router.publish(topic, payload, qos, retain)

    def sweep(self) -> None:
        """Do what is due by the clock: also called a few times a second."""
        for client in list(self._clients.values()):
            client.expire()
        try:
            self.router.expire_sessions()
            self.manners.sweep()
        except InternalFailureException as error:
            self.tell(Event("server", detail=f"what is due is not done: {error}"))

    async def _sweep(self) -> None:
        while True:
            self.sweep()
            await asyncio.sleep(_SWEEP_S)

    def say(self, event: Event) -> None:
        """Tell an Event to whoever `tell` is by now."""
        self.tell(event)

    # For clients

    def joining(self, client: Client, clean: bool) -> tuple[Session, bool]:
        """A CONNECT is accepted: whoever has its name is out (3.1.4-2). Returns as Router.open_session."""
        name = client.identity.name
        if old := self._clients.get(name):
            old.end(wire.DUPLICATE_CLIENTID, f"{client.address} connected with the same client id")
        session = self.router.open_session(name, clean)
        self._clients[name] = client
        return session

    def left(self, client: Client, session: Session, reason: str, detail: str, will: Will | None) -> None:
        """A connected client's connection ended."""
        self._clients.pop(client.identity.name, None)
        self.tell(
            Event("disconnected", client.address, client.client_id, client.certificate_id, reason, detail)
        )
        try:
            if will is not None:
                self.manners.will(client, will)
            self.manners.left(client, reason)
            self.router.close_session(session)
        except InternalFailureException as error:
            self.tell(Event("server", detail=f"the end of {client.client_id}: {error}"))
