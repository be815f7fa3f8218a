"""Fleet provisioning as a device asks for it; things, certificates and messages as an operator does."""

import json
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.host.cloud.support import ANYTHING
from tests.second.asked.room import NOTHING, THING, Ask, Question, Room, text
from tests.second.aws import TEMPLATE

_ROLE = "arn:aws:iam::123456789012:role/provisioning"
_COMMAND = {"content": b"{}", "contentType": "application/json"}
_CREATE = "$aws/certificates/create/json"
_CREATE_FROM_CSR = "$aws/certificates/create-from-csr/json"
_PROVISION = f"$aws/provisioning-templates/{TEMPLATE}/provision/json"


def _signing_request() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    return text({"certificateSigningRequest": pem}).encode()


async def _asked(
    room: Room, topic: str, payload: bytes, subscribe: bool = True
) -> tuple[str, dict[str, Any]]:
    """The answer in short, and whole."""
    async with room.another() as client:
        if subscribe:
            await client.subscribe(f"{topic}/accepted", f"{topic}/rejected")
        answer = await client.ask(topic, payload)
    if answer is None:
        return NOTHING, {}
    kind, document = answer
    if kind == "accepted":
        return f"accepted {' '.join(sorted(document))}", document
    return f"{document.get('statusCode')} {document.get('errorCode')}", document


def _to(topic: str, payload: bytes = b"{}", subscribe: bool = True) -> Ask:
    async def ask(room: Room) -> str:
        return (await _asked(room, topic, payload, subscribe))[0]

    return ask


def _with_token(parameters: dict[str, Any], times: int = 1) -> Ask:
    """The answer to the last of so many requests with the same token."""

    async def ask(room: Room) -> str:
        _, made = await _asked(room, _CREATE, b"{}")
        request = {"certificateOwnershipToken": made["certificateOwnershipToken"], "parameters": parameters}
        short = ""
        for _ in range(times):
            short, _ = await _asked(room, _PROVISION, text(request).encode())
        return short

    return ask


def _told(service: str, operation: str, **arguments: Any) -> Ask:
    async def ask(room: Room) -> str:
        return await room.told(service, operation, **arguments)

    return ask


def _twice(attributes: dict[str, str]) -> Ask:
    """A thing that is there already, by its attributes."""

    async def ask(room: Room) -> str:
        name = room.new("thing")
        await room.call("iot", "create_thing", thingName=name)
        return await room.told(
            "iot", "create_thing", thingName=name, attributePayload={"attributes": attributes}
        )

    return ask


def _certificate(then: Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]) -> Ask:
    """What is told of an operation with a new certificate, which has a thing and a policy."""

    async def ask(room: Room) -> str:
        made = await room.call("iot", "create_keys_and_certificate", setAsActive=True)
        name, arn = room.new("holder"), made["certificateArn"]
        await room.call("iot", "create_policy", policyName=name, policyDocument=json.dumps(ANYTHING))
        await room.call("iot", "attach_policy", policyName=name, target=arn)
        await room.call("iot", "create_thing", thingName=name)
        await room.call("iot", "attach_thing_principal", thingName=name, principal=arn)
        operation, arguments = then({**made, "name": name})
        return await room.told("iot", operation, **arguments)

    return ask


async def _six_versions(room: Room) -> str:
    name, document = room.new("versions"), json.dumps(ANYTHING)
    await room.call("iot", "create_policy", policyName=name, policyDocument=document)
    told = "done"
    for _ in range(5):
        told = await room.told("iot", "create_policy_version", policyName=name, policyDocument=document)
    return told


PROVISIONING = {
    "keys and a certificate": _to(_CREATE),
    "keys, for who did not subscribe": _to(_CREATE, subscribe=False),
    "a certificate for a device's own key": _to(_CREATE_FROM_CSR, _signing_request()),
    "no signing request": _to(_CREATE_FROM_CSR),
    "keys, asked for in CBOR": _to("$aws/certificates/create/cbor", b"\xa0"),
    "a token that is none": _to(_PROVISION, b'{"certificateOwnershipToken": "none"}'),
    "no token": _to(_PROVISION),
    "a request that is no JSON": _to(_PROVISION, b"{"),
    "a template that is not there": _to(_PROVISION.replace(TEMPLATE, "none")),
    "a parameter that is missing": _with_token({}),
    "all as it should be": _with_token({"SerialNumber": "provisioned"}),
    "a token twice": _with_token({"SerialNumber": "provisioned-twice"}, times=2),
}
OPERATOR = {
    "a thing that is not there": _told("iot", "describe_thing", thingName="none"),
    "a thing's name with a blank": _told("iot", "create_thing", thingName="a b"),
    "a thing twice": _twice({}),
    "a thing twice, with other attributes": _twice({"place": "hall"}),
    "delete a thing with a certificate": _certificate(
        lambda made: ("delete_thing", {"thingName": made["name"]})
    ),
    "delete an active certificate": _certificate(
        lambda made: ("delete_certificate", {"certificateId": made["certificateId"]})
    ),
    "delete a policy that is attached": _certificate(
        lambda made: ("delete_policy", {"policyName": made["name"]})
    ),
    "a policy that is no JSON": _told("iot", "create_policy", policyName="none", policyDocument="{"),
    "a policy without statements": _told("iot", "create_policy", policyName="none", policyDocument="{}"),
    "a sixth version of a policy": _six_versions,
    "251 things on a page": _told("iot", "list_things", maxResults=251),
    "a template without a body": _told(
        "iot",
        "create_provisioning_template",
        templateName="empty",
        templateBody="{}",
        provisioningRoleArn="x" * 20,
    ),
    "publish on a service's topic": _told(
        "iot-data", "publish", topic=f"$aws/things/{THING}/shadow/get", payload=b"{}"
    ),
    "publish 128 KiB and a byte": _told("iot-data", "publish", topic="a", payload=b"x" * (128 * 1024 + 1)),
    "publish with 8 slashes": _told("iot-data", "publish", topic="a/b/c/d/e/f/g/h/i", payload=b"x"),
    "publish on a wildcard": _told("iot-data", "publish", topic="a/#", payload=b"x"),
    "a retained message that is not there": _told("iot-data", "get_retained_message", topic="none"),
    "a connection that is not there": _told("iot-data", "get_connection", clientId="none"),
    "end a connection that is not there": _told("iot-data", "delete_connection", clientId="none"),
    "a command": _told(
        "iot",
        "create_command",
        commandId="beep",
        payload=_COMMAND,
    ),
    "a custom metric": _told(
        "iot", "create_custom_metric", metricName="heap", metricType="number", clientRequestToken="1"
    ),
    "a shadow of a thing that is not there": _told("iot-data", "get_thing_shadow", thingName="none"),
    "a shadow's update that is no JSON": _told(
        "iot-data", "update_thing_shadow", thingName=THING, payload=b"{"
    ),
    "the shadow service's list": _told("iot-data", "list_named_shadows_for_thing", thingName=THING),
    "a job of a thing that is not there": _told(
        "iot-jobs-data", "get_pending_job_executions", thingName="none"
    ),
}
QUESTIONS = [
    *(Question(f"provisioning, {name}", ask) for name, ask in PROVISIONING.items()),
    *(Question(f"operator, {name}", ask) for name, ask in OPERATOR.items()),
]
