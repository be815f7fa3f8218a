"""Fleet provisioning over MQTT (AWS: "Device provisioning MQTT API")."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from . import documents
from .client import Client
from .database import Database
from .errors import AwsError, CertificateValidationException, ResourceNotFoundException
from .events import Event
from .hook import Hook, HookError, ask
from .intrinsics import ParameterError
from .registration import register
from .registry import Registry
from .template import Template
from .tokens import OwnershipTokens

_CREATE = "$aws/certificates/create/json"
_CREATE_FROM_CSR = "$aws/certificates/create-from-csr/json"
_TEMPLATES, _PROVISION = "$aws/provisioning-templates/", "/provision/json"


class _Rejected(Exception):
    """A request that is answered on `…/rejected`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.answer = {"statusCode": status, "errorCode": code, "errorMessage": message}


class Provisioning:
    """The service behind `$aws/certificates/create…/json` and `$aws/provisioning-templates/T/provision/json`.

    Args:
        registry: where things and certificates come to be.
        tokens: what ties RegisterThing to a certificate made before.
        database: each request is one transaction in it.
        tell: called with each Event.
        hook: is asked before RegisterThing, as AWS asks a template's preProvisioningHook.
    """

    def __init__(
        self,
        registry: Registry,
        tokens: OwnershipTokens,
        database: Database,
        tell: Callable[[Event], None],
        hook: Hook | None = None,
    ) -> None:
        self._registry = registry
        self._db = database
        self._tokens = tokens
        self._tell = tell
        self._hook = hook
        self._asking: set[asyncio.Task[None]] = set()

    def claims(self, topic: str) -> bool:
        return topic in (_CREATE, _CREATE_FROM_CSR) or _template_name(topic) is not None

    def handle(self, client: Client, topic: str, payload: bytes) -> None:
        """Answer on `…/accepted` or `…/rejected`, only to who asked: there may be a private key in it."""
        if self._hook and _template_name(topic) is not None:
            task = asyncio.create_task(self._handle_with_hook(self._hook, client, topic, payload))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        else:
            self._respond(client, topic, lambda: self._answer(client, topic, _json_object(payload)))

    async def stop(self) -> None:
        """Ask no hook any more."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def _handle_with_hook(self, hook: Hook, client: Client, topic: str, payload: bytes) -> None:
        try:
            request = _json_object(payload)
            event = self._hook_event(client, topic, request)
            request["parameters"] = await ask(hook, event)
        except (_Rejected, AwsError) as error:
            self._reject(client, topic, _rejected(error))
        except HookError as error:
            self._reject(
                client, topic, _Rejected(403, "AccessDenied", "Access denied."), f"the hook: {error}"
            )
        else:
            self._respond(client, topic, lambda: self._answer(client, topic, request))

    def _hook_event(self, client: Client, topic: str, request: dict[str, Any]) -> dict[str, Any]:
        """What the hook is told; only a request that could be granted gets that far."""
        name = _template_name(topic) or ""
        self._template(name)
        parameters = _parameters(request)
        identifier = self._tokens.certificate_of(_token(request))
        if identifier is None:
            raise _unknown_token()
        made = self._registry.describe_certificate(certificateId=identifier)["certificateDescription"]
        return {
            "claimCertificateId": client.certificate_id,
            "certificateId": identifier,
            "certificatePem": made["certificatePem"],
            "templateArn": self._registry.arn(f"provisioningtemplate/{name}"),
            "clientId": client.client_id,
            "parameters": parameters,
        }

    def _respond(self, client: Client, topic: str, answer: Callable[[], dict[str, Any]]) -> None:
        try:
            with self._db.transaction():
                result = answer()
        except (_Rejected, AwsError) as error:
            self._reject(client, topic, _rejected(error))
        else:
            client.answer(f"{topic}/accepted", json.dumps(result).encode())

    def _reject(self, client: Client, topic: str, rejected: _Rejected, reason: str = "") -> None:
        self._tell(_event(client, "rejected", rejected.code, f"{topic}: {reason or rejected}"))
        client.answer(f"{topic}/rejected", json.dumps(rejected.answer).encode())

    def sweep(self) -> None:
        self._tokens.purge()
        self._registry.purge_claims()

    def _answer(self, client: Client, topic: str, request: dict[str, Any]) -> dict[str, Any]:
        if topic == _CREATE:
            made = self._registry.create_keys_and_certificate()
            return self._pending(made) | {"privateKey": made["keyPair"]["PrivateKey"]}
        if topic == _CREATE_FROM_CSR:
            try:
                csr = str(request.get("certificateSigningRequest", ""))
                return self._pending(
                    self._registry.create_certificate_from_csr(certificateSigningRequest=csr)
                )
            except CertificateValidationException as error:
                raise _Rejected(400, "InvalidCertificateSigningRequest", str(error)) from None
        return self._register_thing(client, _template_name(topic) or "", request)

    def _pending(self, made: dict[str, Any]) -> dict[str, Any]:
        identifier = made["certificateId"]
        self._registry.set_certificate_status(identifier, "PENDING_ACTIVATION")
        token = self._tokens.issue(identifier)
        return {
            "certificateId": identifier,
            "certificatePem": made["certificatePem"],
            "certificateOwnershipToken": token,
        }

    def _register_thing(self, client: Client, template_name: str, request: dict[str, Any]) -> dict[str, Any]:
        template = self._template(template_name)
        token = _token(request)
        parameters = _parameters(request)
        # The transaction is undone with a rejection, so that a token is spent by success alone.
        certificate_id = self._tokens.redeem(token)
        if certificate_id is None:
            raise _unknown_token()
        try:
            registration = template.resolve(certificate_id, parameters)
            register(self._registry, registration, certificate_id)
        except ParameterError as error:
            raise _Rejected(400, "InvalidParameters", str(error)) from None
        name = registration.thing_name or ""
        done = _event(client, "provisioned", name, f"template {template_name}")
        self._db.after_commit(lambda: self._tell(done))
        return {"deviceConfiguration": registration.device_configuration, "thingName": name}

    def _template(self, name: str) -> Template:
        try:
            template = self._registry.describe_provisioning_template(templateName=name)
        except ResourceNotFoundException as error:
            raise _Rejected(404, "ResourceNotFound", str(error)) from None
        if not template["enabled"]:
            raise _Rejected(400, "InvalidTemplate", f"template {name} is not enabled")
        try:
            return Template(template["templateBody"])
        except AwsError as error:  # from a time when it was not refused
            raise _Rejected(400, "InvalidTemplate", f"template {name}: {error}") from None


def _template_name(topic: str) -> str | None:
    if topic.startswith(_TEMPLATES) and topic.endswith(_PROVISION):
        return topic[len(_TEMPLATES) : -len(_PROVISION)]
    return None


def _rejected(error: _Rejected | AwsError) -> _Rejected:
    if isinstance(error, _Rejected):
        return error
    return _Rejected(error.status, error.code.removesuffix("Exception"), str(error))


def _token(request: dict[str, Any]) -> str:
    token = request.get("certificateOwnershipToken")
    if not isinstance(token, str) or not token:
        text = "Certificate ownership token cannot be empty."
        raise _Rejected(400, "InvalidCertificateOwnershipToken", text)
    return token


def _unknown_token() -> _Rejected:
    text = "Certificate ownership token is unknown, expired or was used."
    return _Rejected(400, "InvalidCertificateOwnershipToken", text)


def _parameters(request: dict[str, Any]) -> dict[str, Any]:
    parameters = request.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise _Rejected(400, "InvalidParameters", "parameters must be an object")
    return parameters


def _json_object(payload: bytes) -> dict[str, Any]:
    try:
        return documents.load(payload.decode() or "{}")
    except UnicodeDecodeError:
        raise _Rejected(400, "InvalidPayload", "the payload is not UTF-8") from None
    except ValueError as error:
        raise _Rejected(400, "InvalidPayload", f"the payload {error}") from None


def _event(client: Client, kind: str, reason: str, detail: str) -> Event:
    return Event(kind, client.address, client.client_id, client.certificate_id, reason, detail)
