"""Clients that are no devices: certificate and key for any MQTT program, while the cloud runs or not."""

import json
import re
import shlex
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.atomic import write_atomic
from tools.board.errors import BoardError

from .ca import Authority, certificate_id
from .database import Database, StateError
from .endpoint import Endpoint
from .errors import AwsError, ResourceAlreadyExistsException, ResourceNotFoundException
from .policy import Policy
from .registry import Registry

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_MESSAGES = ["iot:Publish", "iot:RetainPublish", "iot:Subscribe", "iot:Receive"]


@dataclass(frozen=True)
class Client:
    """What a program needs to be a client of this name."""

    name: str
    endpoint: Endpoint
    root_ca: Path
    certificate: Path
    key: Path
    certificate_id: str

    def mosquitto(self, program: str, *more: str) -> str:
        """The command by which mosquitto's own client (`sub` or `pub`) is this one."""
        where = ["-h", self.endpoint.host, "-p", str(self.endpoint.port), "-i", f"{self.name}-{program}"]
        files = ["--cafile", str(self.root_ca), "--cert", str(self.certificate), "--key", str(self.key)]
        return shlex.join([f"mosquitto_{program}", *where, *files, "-q", "1", *more])


def everything(registry: Registry, name: str) -> str:
    """A policy document: all messages, for the client ids NAME and NAME-…."""
    ids = [registry.arn(f"client/{name}"), registry.arn(f"client/{name}-*")]
    statements = [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": ids},
        {"Effect": "Allow", "Action": _MESSAGES, "Resource": "*"},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def make_client(
    state: Path, name: str, policy: str | None = None, folder: Path | None = None, is_thing: bool = True
) -> Client:
    """Give a client its certificate; one that has it keeps it.

    It can connect at once. Another policy holds from its next connection on.

    Args:
        state: the cloud's state directory.
        name: 1 to 100 of A-Z a-z 0-9 _ -.
        policy: a policy document; None for all messages, or for the one it has.
        folder: where its files belong; None for `clients` in `state`.
        is_thing: it is a thing, too, so that a policy's variables of things have a value where its client id
            is NAME.

    Raises:
        BoardError: nothing that could connect was made.
    """
    if not _NAME.fullmatch(name):
        raise BoardError(f"{name}: no name for a client", "Use 1 to 100 of A-Z a-z 0-9 _ -.")
    folder = (folder or state / "clients").absolute()
    root_ca, certificate, key = (folder / f"{name}.{kind}.pem" for kind in ("root_ca", "certificate", "key"))
    with _registry(state) as (registry, root_pem):
        if policy is not None:
            Policy(policy)
        kept = _kept(registry, certificate, key)
        made = {} if kept else registry.create_keys_and_certificate(setAsActive=True)
        identifier = kept or made["certificateId"]
        _permit(registry, name, registry.arn(f"cert/{identifier}"), policy)
        if is_thing:
            _attach(registry, name, registry.arn(f"cert/{identifier}"))
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if made:
                write_atomic(key, made["keyPair"]["PrivateKey"].encode(), 0o600)
                write_atomic(certificate, made["certificatePem"].encode())
            write_atomic(root_ca, root_pem.encode())
        except OSError as error:
            raise BoardError(
                f"{folder}: cannot be written: {error.strerror}", "Name another one: --folder."
            ) from None
    return Client(name, Endpoint.load(state), root_ca, certificate, key, identifier)


@contextmanager
def _registry(state: Path) -> Iterator[tuple[Registry, str]]:
    """The registry of a cloud and its root certificate, whether the cloud runs or not."""
    chain = Authority.chain_in(state)
    if chain is None:
        raise BoardError(
            f"{state}: no cloud was ever started there",
            f"Start it: python3 -m tools cloud --state {shlex.quote(str(state))}",
        )
    try:
        database = Database(state, guest=True)
        try:
            authority = Authority(state, chain)
            yield Registry(database, authority), authority.root_pem
        finally:
            database.close()
    except AwsError as error:
        raise BoardError(f"{error.code}: {error}", "Nothing was made.") from None
    except (StateError, OSError, ValueError) as error:
        raise BoardError(
            f"{state}: {error}", "Restore its files, or delete it and start the cloud anew."
        ) from None


def _kept(registry: Registry, certificate: Path, key: Path) -> str | None:
    """The id of the certificate in the files, where it is one that works here."""
    try:
        identifier = certificate_id(certificate.read_text("ascii"))
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key)
        known = registry.describe_certificate(certificateId=identifier)["certificateDescription"]
    except (OSError, ValueError, ResourceNotFoundException):  # ssl.SSLError is an OSError
        return None
    return identifier if known["status"] == "ACTIVE" else None


def _permit(registry: Registry, name: str, arn: str, policy: str | None) -> None:
    """Attach the policy, which replaces any other."""
    attached = [one["policyName"] for one in registry.list_attached_policies(target=arn)["policies"]]
    if policy is not None or not attached:
        wanted = registry.ensure_policy(everything(registry, name) if policy is None else policy)
        registry.attach_policy(policyName=wanted, target=arn)
        for other in attached:
            if other != wanted:
                registry.detach_policy(policyName=other, target=arn)


def _attach(registry: Registry, name: str, arn: str) -> None:
    """Make it a thing."""
    with suppress(ResourceAlreadyExistsException):  # a device's, which has attributes
        registry.create_thing(thingName=name)
    registry.attach_thing_principal(thingName=name, principal=arn)
