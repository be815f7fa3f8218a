"""The local AWS IoT Core in one object."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.started import Started

from . import fleet
from .account import Account
from .broker import Broker
from .ca import CHAINS, Authority, ServerChain
from .certificates import alternative_names
from .client import Service
from .commands import Commands
from .connections import Connections
from .database import Database, StateError
from .defender import Defender
from .endpoint import Endpoint
from .errors import InternalFailureException, ResourceNotFoundException
from .events import Event
from .hook import Hook
from .jobs import Jobs, JobsService, Presign
from .limits import Limits
from .messages import Messages
from .misbehaviour import Gate, Misbehaviour
from .provisioning import Provisioning
from .registry import Registry
from .rules import Call, Rules
from .s3 import S3
from .shadows import Shadows
from .store import Message, Store
from .streams import Streams
from .tokens import OwnershipTokens

if TYPE_CHECKING:
    from .https import HttpsPublish
    from .rest import Rest

_log = logging.getLogger(__name__)


class ControlPlaneError(OSError):
    """The control plane cannot listen where it should."""


class Cloud(Started):
    """AWS IoT Core's device side on this machine: `async with Cloud(folder) as cloud: …`.

    One thread's: call it where its event loop runs.

    Args:
        state: directory of all that outlives the process; made if it does not exist.
        listen: address to listen on.
        port: 0 takes any free one, `port` tells which.
        hosts: names and IP addresses that the server's certificate is for.
        server_chain: "p256", or "rsa" as Amazon's servers; the state directory stays with its first one.
        limits: AWS's, unless given.
        on_event: called with each Event (connected, disconnected, refused, …); may be set later too.
        clock: seconds since 1970, for expiry and timestamps.
        hook: decides which devices may be provisioned; see tools.cloud.hook.
        rules: by name the topic on which a rule of Basic Ingest publishes again, or the function that one
            calls; see tools.cloud.rules.
        messages: tell an Event for each message that a client publishes, too.
        presign: signs the S3 URLs in jobs' documents, in place of this cloud with `files_port`; devices get
            them as they are without either.
        files_port: serve what is put in S3 by HTTPS on this port; 0 takes any free one, `files_port` tells
            which.
        files_host: what devices call it, one of `hosts`; "" is the first of them.
        https_port: take messages by HTTPS on this port, too; 0 takes any free one, `https_port` tells which.
        misbehave: ways in which its services misbehave; `gate.rules` changes them while it runs.
        rest_port: serve the control plane for boto3 there, too; 0 takes any free one, `rest_url` tells which.
        rest_listen: address for that. Signatures are not checked: who reaches it may do anything.

    Raises:
        StateError: the state directory cannot be used, or is for the other chain.
        ValueError: one of `hosts` is neither a name nor an address, `files_host` is none of them, there is no
            such chain, or a rule cannot be.
    """

    def __init__(
        self,
        state: Path,
        listen: str = "127.0.0.1",
        port: int = 0,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
        *,
        server_chain: ServerChain = "p256",
        limits: Limits | None = None,
        on_event: Callable[[Event], None] | None = None,
        clock: Callable[[], float] = time.time,
        hook: Hook | None = None,
        rules: Mapping[str, str | Call] | None = None,
        messages: bool = False,
        presign: Presign | None = None,
        files_port: int | None = None,
        files_host: str = "",
        https_port: int | None = None,
        misbehave: Sequence[Misbehaviour] = (),
        rest_port: int | None = None,
        rest_listen: str = "127.0.0.1",
    ) -> None:
        self.limits = limits or Limits()
        self._rules = Rules(rules or {}, self.limits, self._tell)
        self.on_event = on_event
        self.port = port
        self.messages = messages
        self.https_port = https_port
        self.files_port = files_port
        self.gate = Gate(self._tell, list(misbehave))
        self._state = state
        self._listen = listen
        self._hosts = tuple(hosts)
        self._clock = clock
        self._broker: Broker | None = None
        self._https: HttpsPublish | None = None
        self._hook = hook
        self._rest: Rest | None = None
        self._rest_address = rest_listen, rest_port
        alternative_names(self._hosts)  # before anything is opened
        if files_host and files_host not in self._hosts:
            raise ValueError(f"files_host: {files_host!r}, must be one of {', '.join(self._hosts)}")
        if server_chain not in CHAINS:
            raise ValueError(f"server_chain: {server_chain!r}, must be one of {', '.join(CHAINS)}")
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = Database(state)
        except OSError as error:
            raise StateError(f"{state}: {error.strerror}; use a directory that can be written") from error
        try:
            self._authority = Authority(state, server_chain)
            self._context = self._authority.server_context(self._hosts)
        except StateError:
            self._database.close()
            raise
        except (OSError, ValueError) as error:
            self._database.close()
            raise StateError(f"{state}: {error}; restore its files, or delete it to start anew") from error
        self.registry = Registry(self._database, self._authority, clock)
        self.shadows = Shadows(self._database, self._publish, self._tell, self.limits, clock)
        place = (self._hosts, files_host or self._hosts[0])
        self.s3 = S3(state / "s3", self._authority, *place, self.gate, self.limits, self._tell, clock)
        arn = self.registry.arn
        self.streams = Streams(self._database, self.s3.objects, arn, self._tell, clock)
        signs = presign or (None if files_port is None else self.s3.presign)
        self.jobs = Jobs(self._database, arn, self._publish, clock, signs)
        self.commands = Commands(self._database, self.registry, self._publish, self._tell, clock)
        self.connections = Connections(self.registry, self.limits, clock)
        self.defender = Defender(self._database, self.registry, self._publish, self._tell, clock)
        self.account = Account(lambda: self.endpoint, published=("JOB", "JOB_EXECUTION"))

    @property
    def root_ca(self) -> str:
        """The root certificate that clients trust, PEM."""
        return self._authority.root_pem

    @property
    def rest_url(self) -> str:
        """The control plane's, for boto3's `endpoint_url`; "" where it is not served."""
        return self._rest.url if self._rest else ""

    @property
    def endpoint(self) -> Endpoint:
        """How a program on this machine reaches it, once it has started."""
        return Endpoint.of(self._listen, self.port, self._hosts, self.rest_url)

    async def start(self) -> None:
        """Listen.

        Raises OSError if an address or a port cannot be had (ControlPlaneError for boto3's, FilesPortError
        for that of jobs' files), StateError if the state cannot be written, as on a full disk; the state is
        closed then.
        """
        store = Store(self._database, self.limits.session_expiry_s, self._clock)
        tokens = OwnershipTokens(self._database, self.limits.token_expiry_s, self._clock)
        provisioning = Provisioning(self.registry, tokens, self._database, self._tell, self._hook)
        jobs = JobsService(self.jobs, self._clock, self._tell)
        services: list[Service] = [
            *(provisioning, jobs, self.shadows, self.commands, self.defender, self.streams)
        ]
        try:
            broker = Broker(
                self._context,
                self.registry,
                store,
                [*map(self.gate.wrap, services), self._rules],
                self.limits,
                tell=self._tell,
                clock=self._clock,
            )
            broker.tell_messages = self.messages
            broker.misbehaves = self.gate.packet
            if self._rules.has_calls:
                broker.router.hear = self._rules.hear
            self.port = await broker.start(self._listen, self.port)
            self._broker, self._provisioning = broker, provisioning
            self.connections.follow(broker)
            await self._serve_https(broker)
            self.files_port = await self.s3.start(self._listen, self.files_port)
            await self._serve_rest(broker, store)
        except InternalFailureException as error:
            self._database.close()
            raise StateError(f"{error}; make room for it") from error
        except OSError:
            await self.stop()
            raise
        try:
            self.endpoint.save(self._state)
        except OSError as error:
            await self.stop()
            raise StateError(f"{self._state}: {error.strerror}; make room for it") from error

    async def _serve_rest(self, broker: Broker, store: Store) -> None:
        listen, port = self._rest_address
        if port is None:
            return
        from .rest import Rest  # noqa: PLC0415  it brings AWS's models and an HTTP server
        from .s3.api import Api  # noqa: PLC0415

        services: dict[str, list[object]] = {
            "iot": [
                *(self.registry, self.registry.groups, self.account, self.jobs, self.jobs.executions),
                *(self.commands, self.defender, self.streams),
            ],
            "iot-data": [Messages(store, broker.router.publish, self.limits), self.shadows, self.connections],
            "iot-jobs-data": [self.jobs.data, self.commands],
        }
        s3 = Api(self.s3.objects)
        self._rest = Rest(services, self._database.transaction, self._tell, s3, self._hosts)
        try:
            await self._rest.start(listen, port)
        except OSError as error:
            raise ControlPlaneError(error.errno, f"{listen} port {port}: {error.strerror}") from error

    async def _serve_https(self, broker: Broker) -> None:
        if self.https_port is None:
            return
        from .https import HttpsPublish  # noqa: PLC0415  it brings an HTTP server

        self._https = HttpsPublish(self._context, self.registry, broker.router, self.limits, self._tell)
        self.https_port = await self._https.start(self._listen, self.https_port)

    async def stop(self) -> None:
        """Disconnect everyone, stop listening, close the state."""
        self.gate.close()
        await self._rules.stop()
        if self._https is not None:
            await self._https.stop()
        await self.s3.stop()
        if self._rest is not None:
            await self._rest.stop()
        if self._broker is not None:
            await self._provisioning.stop()
            await self._broker.stop()
        self._database.close()

    def create_identity(self, policy_document: dict[str, Any]) -> tuple[str, str]:
        """(certificate, key), PEM, with a policy of its own: for a client that is no provisioned thing."""
        with self._database.transaction():
            made = self.registry.create_keys_and_certificate(setAsActive=True)
            policy = self.registry.ensure_policy(json.dumps(policy_document))
            self.registry.attach_policy(policyName=policy, target=made["certificateArn"])
        return made["certificatePem"], made["keyPair"]["PrivateKey"]

    async def send_direct_message(
        self, client_id: str, topic: str, payload: bytes, confirmation: bool = True, timeout_s: float = 5
    ) -> bool:
        """AWS's SendDirectMessage: to a client that is connected, on a topic it need not have subscribed to.

        Returns:
            With `confirmation` whether its PUBACK came within `timeout_s`; else whether it was sent.

        Raises:
            ResourceNotFoundException: the client is not connected.
        """
        if self._broker is None:
            raise ResourceNotFoundException(f"client {client_id} is not connected")
        message = Message(topic, payload, int(confirmation), private=True)
        return await self._broker.connected(client_id).direct(message, timeout_s)

    def device_configuration(
        self,
        wifi: list[dict[str, str]],
        endpoint: str = "localhost",
        template: str = "LocalTemplate",
        parameters: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """A device's configuration with a claim certificate of its own; the cloud must have started.

        Args:
            wifi: as in the configuration, [{"ssid": …, "password": …}].
            endpoint: name or address of this cloud as the device reaches it, one of `hosts`.
            template: the provisioning template; made if there is none of this name, things being called by
                their SerialNumber.
            parameters: sent by the device with RegisterThing, "{id}" being its own id; that is the
                SerialNumber unless given.

        Raises:
            ValueError: the server's certificate is not for `endpoint`.
        """
        if endpoint not in self._hosts:
            raise ValueError(
                f"endpoint {endpoint!r} is not in the server's certificate: {', '.join(self._hosts)}"
            )
        with self._database.transaction():
            self._ensure_template(template)
            certificate, key = self.create_identity(fleet.claim_policy(self.registry.arn, template))
        return {
            "wifi": wifi,
            "aws": {
                "endpoint": endpoint,
                "port": self.port,
                "template": template,
                "parameters": {"SerialNumber": "{id}"} if parameters is None else parameters,
                "root_ca": self.root_ca,
                "claim_certificate": certificate,
                "claim_key": key,
            },
        }

    def _ensure_template(self, name: str) -> None:
        try:
            self.registry.describe_provisioning_template(templateName=name)
        except ResourceNotFoundException:
            self.registry.create_provisioning_template(
                templateName=name,
                templateBody=fleet.template_body(self.registry.arn, name),
                provisioningRoleArn="arn:aws:iam::123456789012:role/provisioning",
                enabled=True,
            )

    def _publish(self, topic: str, payload: bytes) -> None:
        """For services, which are there before the broker."""
        if self._broker is not None:
            self.gate.say(topic, payload, self._broker.publish)

    def _tell(self, event: Event) -> None:
        _log.info("%s", event)
        if self.on_event is not None:
            self.on_event(event)
