"""Fleet provisioning over MQTT, as a device sees it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.host.cloud import support as raw
from tests.host.cloud.support import Bench, Clock, Peer, bench
from tools.cloud import fleet

CREATE = "$aws/certificates/create/json"
CSR = "$aws/certificates/create-from-csr/json"
PROVISION = "$aws/provisioning-templates/LocalTemplate/provision/json"


@pytest.fixture
async def cloud(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    async with bench(tmp_path, clock=clock) as running:
        yield running


async def claim(cloud: Bench, *topics: str) -> Peer:
    """A client with a claim certificate, subscribed to the answers of CREATE, PROVISION and `topics`."""
    aws = cloud.cloud.device_configuration([])["aws"]
    peer = await cloud.client("claim-new", (aws["claim_certificate"], aws["claim_key"]))
    for topic in (CREATE, PROVISION, *topics):
        await peer.subscribe(f"{topic}/accepted")
        await peer.subscribe(f"{topic}/rejected")
    return peer


async def ask(peer: Peer, topic: str, request: dict[str, Any] | bytes) -> tuple[str, dict[str, Any]]:
    """The word after the topic (accepted or rejected) and the answer."""
    payload = request if isinstance(request, bytes) else json.dumps(request).encode()
    await peer.publish(topic, payload)
    message = await peer.message()
    assert message.topic.startswith(topic)
    return message.topic.removeprefix(topic + "/"), json.loads(message.payload)


async def accepted(peer: Peer, topic: str, request: dict[str, Any] | bytes) -> dict[str, Any]:
    outcome, answer = await ask(peer, topic, request)
    assert outcome == "accepted", answer
    return answer


async def rejected(peer: Peer, topic: str, request: dict[str, Any] | bytes) -> dict[str, Any]:
    outcome, answer = await ask(peer, topic, request)
    assert outcome == "rejected"
    assert set(answer) == {"statusCode", "errorCode", "errorMessage"}
    return answer


async def test_from_claim_to_thing(cloud: Bench) -> None:
    peer = await claim(cloud)
    keys = await accepted(peer, CREATE, b"")
    assert set(keys) == {"certificateId", "certificatePem", "privateKey", "certificateOwnershipToken"}
    own = (keys["certificatePem"], keys["privateKey"])
    early = await cloud.open(own)
    assert await early.closed() == b""
    assert "PENDING_ACTIVATION" in (await cloud.event("refused")).detail
    token = keys["certificateOwnershipToken"]
    request = {"certificateOwnershipToken": token, "parameters": {"SerialNumber": "esp32-0a1b"}}
    assert await accepted(peer, PROVISION, request) == {"deviceConfiguration": {}, "thingName": "esp32-0a1b"}
    await peer.disconnect()

    registry = cloud.cloud.registry
    assert registry.describe_thing(thingName="esp32-0a1b")["attributes"] == {"serialNumber": "esp32-0a1b"}
    (principal,) = registry.list_thing_principals(thingName="esp32-0a1b")["principals"]
    assert principal.endswith(keys["certificateId"])

    thing = await cloud.client("esp32-0a1b", own)
    await thing.subscribe("cmd/esp32-0a1b")
    await thing.publish("telemetry/esp32-0a1b", b"{}")
    thing.send(raw.publish_packet("telemetry/esp32-other", b"{}"))
    assert await thing.closed() == b"", "a thing has its own topics alone"
    stranger = await cloud.open(own)
    stranger.send(raw.connect_packet("another-id"))
    assert await stranger.closed() == b""


async def test_a_claim_is_no_thing(cloud: Bench) -> None:
    """With its key alone nobody throws a thing off, reads what is kept for it, or speaks in its name."""
    aws = cloud.cloud.device_configuration([])["aws"]
    identity = (aws["claim_certificate"], aws["claim_key"])
    thing = await cloud.client("esp32-0a1b", clean=False)
    await thing.subscribe("cmd/esp32-0a1b")
    for client_id in ("esp32-0a1b", "claim", "Claim-1"):
        stranger = await cloud.open(identity)
        stranger.send(raw.connect_packet(client_id))
        assert await stranger.closed() == b""
    await (await cloud.client("backend")).publish("cmd/esp32-0a1b", b"1")
    assert (await thing.message()).payload == b"1"
    for topic in ("telemetry/esp32-0a1b", "$aws/things/esp32-0a1b/shadow/update", "cmd/esp32-0a1b"):
        claim_ = await cloud.client("claim-1", identity)
        claim_.send(raw.publish_packet(topic, b"{}"))
        assert await claim_.closed() == b""
    claim_ = await cloud.client("claim-1", identity)
    claim_.send(raw.subscribe_packet(1, ("cmd/esp32-0a1b", 1)))
    assert await claim_.closed() == b""


async def test_only_who_asks_is_answered(cloud: Bench) -> None:
    """Others may subscribe as widely as they like: a private key never reaches them."""
    spy = await cloud.client("spy")
    for topic_filter in (
        "#",
        "$aws/#",
        "$aws/certificates/+/json/+",
        f"{CREATE}/accepted",
        f"{PROVISION}/accepted",
    ):
        await spy.subscribe(topic_filter)
    watcher = await cloud.client("persistent-spy", clean=False)
    await watcher.subscribe("$aws/#")
    await watcher.disconnect()
    peer = await claim(cloud)
    keys = await accepted(peer, CREATE, {})
    request = {
        "certificateOwnershipToken": keys["certificateOwnershipToken"],
        "parameters": {"SerialNumber": "1"},
    }
    await accepted(peer, PROVISION, request)
    await (await cloud.client("p")).publish("end", b"")
    seen = [await spy.message()]
    while seen[-1].topic != "end":
        seen.append(await spy.message())
    watcher = await cloud.client("persistent-spy", clean=False)
    while (message := await watcher.message()).topic != "$aws/events/presence/connected/persistent-spy":
        seen.append(message)
    assert seen
    for message in seen:
        assert message.topic == "end" or message.topic.startswith("$aws/events/presence/")
        assert b"PRIVATE KEY" not in message.payload


async def test_a_private_key_is_kept_nowhere(cloud: Bench, tmp_path: Path) -> None:
    """Not acknowledged, in a persistent session: it is for the connection that asked and not for the next."""
    aws = cloud.cloud.device_configuration([])["aws"]
    identity = (aws["claim_certificate"], aws["claim_key"])
    peer = await cloud.client("claim-new", identity, clean=False)
    await peer.subscribe(f"{CREATE}/accepted")
    await peer.publish(CREATE, b"")
    message = await peer.message(acknowledge=False)
    key = json.loads(message.payload)["privateKey"].splitlines()[1].encode()
    peer.writer.transport.abort()
    await cloud.event("disconnected")
    again = await cloud.open(identity)
    assert await again.connect("claim-new", clean=False)
    await again.nothing_more()
    await cloud.close()
    for path in (tmp_path / "state").iterdir():
        assert key not in path.read_bytes(), path


async def test_an_answer_without_a_subscription_is_lost(cloud: Bench) -> None:
    aws = cloud.cloud.device_configuration([])["aws"]
    peer = await cloud.client("claim-new", (aws["claim_certificate"], aws["claim_key"]))
    await peer.publish(CREATE, b"")
    assert "subscribe before asking" in (await cloud.event("rejected")).detail
    await peer.nothing_more()


async def token(peer: Peer) -> str:
    return (await accepted(peer, CREATE, {}))["certificateOwnershipToken"]


async def test_token_serves_once(cloud: Bench) -> None:
    peer = await claim(cloud)
    request = {"certificateOwnershipToken": await token(peer), "parameters": {"SerialNumber": "1"}}
    await accepted(peer, PROVISION, request)
    answer = await rejected(peer, PROVISION, request)
    assert (answer["statusCode"], answer["errorCode"]) == (400, "InvalidCertificateOwnershipToken")


async def test_a_rejected_request_does_not_spend_the_token(cloud: Bench) -> None:
    peer = await claim(cloud)
    owner = await token(peer)
    await rejected(peer, PROVISION, {"certificateOwnershipToken": owner, "parameters": {}})
    await accepted(peer, PROVISION, {"certificateOwnershipToken": owner, "parameters": {"SerialNumber": "1"}})


@pytest.mark.parametrize(("after_s", "valid"), [(3599, True), (3601, False)])
async def test_token_expires(cloud: Bench, clock: Clock, after_s: int, valid: bool) -> None:
    peer = await claim(cloud)
    request = {"certificateOwnershipToken": await token(peer), "parameters": {"SerialNumber": "1"}}
    clock.now_s += after_s
    outcome, answer = await ask(peer, PROVISION, request)
    assert (outcome == "accepted") is valid
    if not valid:
        assert answer["errorCode"] == "InvalidCertificateOwnershipToken"


async def test_certificates_of_expired_tokens_are_deleted(tmp_path: Path, clock: Clock) -> None:
    async with bench(tmp_path, clock=clock) as cloud:
        peer = await claim(cloud)
        keys = await accepted(peer, CREATE, {})
    clock.now_s += 3601
    async with bench(tmp_path, clock=clock) as cloud:
        await cloud.client("any")  # the sweep runs before anyone is let in
        ids = [c["certificateId"] for c in cloud.cloud.registry.list_certificates()["certificates"]]
        assert keys["certificateId"] not in ids
        assert len(ids) == 2, "the claim certificate and the one just made stay"


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (b"{", "InvalidPayload", "not JSON"),
        (b"[]", "InvalidPayload", "object"),
        (b"\xff", "InvalidPayload", "not UTF-8"),
        (b"[" * 100_000, "InvalidPayload", "nested too deeply"),
        (b'{"certificateOwnershipToken": "\\ud800"}', "InvalidPayload", "surrogate"),
        (b'{"parameters": {}, "parameters": {}}', "InvalidPayload", "'parameters' twice"),
        (b'{"parameters": NaN}', "InvalidPayload", "not JSON"),
        ({}, "InvalidCertificateOwnershipToken", "cannot be empty"),
        ({"certificateOwnershipToken": 7}, "InvalidCertificateOwnershipToken", "cannot be empty"),
        ({"certificateOwnershipToken": "made up"}, "InvalidCertificateOwnershipToken", "unknown"),
        ({"certificateOwnershipToken": "x", "parameters": []}, "InvalidCertificateOwnershipToken", "unknown"),
        ({"certificateOwnershipToken": "x", "parameters": ["a"]}, "InvalidParameters", "object"),
    ],
)
async def test_rejected_requests(cloud: Bench, request_: Any, code: str, reason: str) -> None:
    answer = await rejected(await claim(cloud), PROVISION, request_)
    assert (answer["statusCode"], answer["errorCode"]) == (400, code)
    assert reason in answer["errorMessage"]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, "SerialNumber is missing"),
        ({"SerialNumber": "1", "Extra": "x"}, "Extra is not declared"),
        ({"SerialNumber": "no/slash"}, "thing name"),
    ],
)
async def test_rejected_parameters(cloud: Bench, parameters: Any, reason: str) -> None:
    peer = await claim(cloud)
    answer = await rejected(
        peer, PROVISION, {"certificateOwnershipToken": await token(peer), "parameters": parameters}
    )
    assert answer["errorCode"] == "InvalidParameters"
    assert reason in answer["errorMessage"]
    assert not cloud.cloud.registry.list_things()["things"]


async def test_unknown_and_disabled_templates(cloud: Bench) -> None:
    registry = cloud.cloud.registry
    cloud.cloud.device_configuration([])
    body = registry.describe_provisioning_template(templateName="LocalTemplate")["templateBody"]
    registry.create_provisioning_template(
        templateName="Off", templateBody=body, provisioningRoleArn="arn:aws:iam::1:role/r"
    )
    peer = await cloud.client("anything")
    for name, status, code in (("Nowhere", 404, "ResourceNotFound"), ("Off", 400, "InvalidTemplate")):
        topic = f"$aws/provisioning-templates/{name}/provision/json"
        await peer.subscribe(f"{topic}/+")
        answer = await rejected(peer, topic, {})
        assert (answer["statusCode"], answer["errorCode"]) == (status, code)


async def test_registering_again_keeps_the_thing(cloud: Bench) -> None:
    peer = await claim(cloud)
    for _ in range(2):
        request = {"certificateOwnershipToken": await token(peer), "parameters": {"SerialNumber": "1"}}
        assert (await accepted(peer, PROVISION, request))["thingName"] == "1"
    assert len(cloud.cloud.registry.list_things()["things"]) == 1
    assert len(cloud.cloud.registry.list_thing_principals(thingName="1")["principals"]) == 2


@pytest.mark.parametrize(
    ("override", "attributes"),
    [
        (None, {"old": "1", "place": "hall"}),
        ("MERGE", {"old": "1", "place": "hall"}),
        ("REPLACE", {"place": "hall"}),
        ("DO_NOTHING", {"old": "1", "place": "shelf"}),
        ("FAIL", None),
    ],
)
async def test_a_thing_that_exists_with_other_attributes(
    cloud: Bench, override: str | None, attributes: dict[str, str] | None
) -> None:
    registry = cloud.cloud.registry
    registry.create_thing(thingName="1", attributePayload={"attributes": {"old": "1", "place": "shelf"}})
    body = json.loads(fleet.template_body(registry.arn))
    body["Resources"]["thing"]["Properties"]["AttributePayload"] = {"place": "hall"}
    if override is not None:
        body["Resources"]["thing"]["OverrideSettings"] = {"AttributePayload": override}
    registry.create_provisioning_template(
        templateName="LocalTemplate", templateBody=json.dumps(body), provisioningRoleArn="arn", enabled=True
    )
    peer = await claim(cloud)
    request = {"certificateOwnershipToken": await token(peer), "parameters": {"SerialNumber": "1"}}
    if attributes is None:
        assert (await rejected(peer, PROVISION, request))["errorCode"] == "ResourceConflicts"
        assert not registry.list_thing_principals(thingName="1")["principals"], "a rejection changes nothing"
    else:
        await accepted(peer, PROVISION, request)
        assert registry.describe_thing(thingName="1")["attributes"] == attributes


async def test_from_a_signing_request(cloud: Bench) -> None:
    """The private key never leaves the device."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    peer = await cloud.client("anything")
    for topic in (CSR, PROVISION):
        await peer.subscribe(f"{topic}/+")
    cloud.cloud.device_configuration([])
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    made = await accepted(peer, CSR, {"certificateSigningRequest": pem})
    assert set(made) == {"certificateId", "certificatePem", "certificateOwnershipToken"}
    owner = {
        "certificateOwnershipToken": made["certificateOwnershipToken"],
        "parameters": {"SerialNumber": "9"},
    }
    await accepted(peer, PROVISION, owner)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    await cloud.client("9", (made["certificatePem"], key_pem.decode()))
    for bad in ("", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"):
        answer = await rejected(peer, CSR, {"certificateSigningRequest": bad})
        assert answer["errorCode"] == "InvalidCertificateSigningRequest"


async def test_a_claim_certificate_can_only_provision(cloud: Bench) -> None:
    peer = await claim(cloud)
    peer.send(raw.publish_packet("telemetry/esp32-1", b"{}"))
    assert await peer.closed() == b""


def test_configuration_names_an_endpoint_that_the_certificate_has(cloud: Bench) -> None:
    aws = cloud.cloud.device_configuration([{"ssid": "s", "password": "p"}], "127.0.0.1")["aws"]
    assert (aws["endpoint"], aws["port"], aws["template"]) == ("127.0.0.1", cloud.cloud.port, "LocalTemplate")
    with pytest.raises(ValueError, match=r"'example.com'.*localhost"):
        cloud.cloud.device_configuration([], "example.com")
