"""Keys made on the chip: by claim, as the configuration or the claim's policy have it, and rotated."""

import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from iot.storage.store import Credentials

from tests.patience import until
from tests.system.house import START_S, House, seen, settle
from tests.system.test_faults import cut
from tests.system.test_identity import certificates, inactive, template
from tests.system.test_memory import hasten
from tools.cloud import fleet
from tools.cloud.ca import certificate_id
from tools.sim import Device
from tools.sim.flash import CutFlash

NAME = "esp32-240ac4000001"
ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"
DAYS = 36500  # the local cloud's certificates all end within them


def sets(device: Device) -> dict[str, dict[str, bytes]]:
    """The device's own certificates in flash, by the set; it is off."""
    with CutFlash(device.folder).mounted():
        credentials = Credentials("/certs")
        found = {name: credentials.load(name) for name in ("thing", "next")}
    return {name: parts for name, parts in found.items() if parts}


def key_of(parts: dict[str, bytes]) -> Any:
    """The private key of a set, which is the certificate's."""
    key = serialization.load_der_private_key(parts["key"], None)
    assert key.public_key() == x509.load_der_x509_certificate(parts["certificate"]).public_key()
    return key


async def test_the_key_is_made_on_the_chip_and_stays_there(house: House) -> None:
    device = house.device()
    await house.telemetry(device)
    await device.power_off()
    [parts] = sets(device).values()
    key = key_of(parts)
    assert isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"
    secret = key.private_numbers().private_value.to_bytes(32, "big")
    said = [line.encode() for line in device.lines]
    for form in (secret, secret.hex().encode(), parts["key"]):
        assert not any(form in line for line in said)
    for file in house.folder.joinpath("cloud").rglob("*"):
        assert not file.is_file() or secret not in file.read_bytes()
    registered = house.cloud.registry.describe_certificate(certificateId=certificate_id(parts["certificate"]))
    assert registered["certificateDescription"]["status"] == "ACTIVE"


async def test_the_service_makes_the_keys_where_the_configuration_says_so(house: House) -> None:
    device = house.device()
    await house.telemetry(device, house.configuration(keys="service"))
    await device.power_off()
    assert isinstance(key_of(sets(device)["thing"]), (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey))
    assert seen(device, "asking for keys and a certificate") == 1 and not seen(device, "making a key")


def claims_policy(house: House, topics: list[str]) -> dict[str, Any]:
    """A configuration whose claim may publish to these topics alone."""
    document = house.configuration()
    policy = fleet.claim_policy(house.cloud.registry.arn, "LocalTemplate")
    for statement in policy["Statement"][1:]:
        kind = "topicfilter" if statement["Action"] == "iot:Subscribe" else "topic"
        statement["Resource"] = [house.cloud.registry.arn(f"{kind}/{topic}") for topic in topics]
    certificate, key = house.cloud.create_identity(policy)
    document["aws"].update(claim_certificate=certificate, claim_key=key)
    return document


async def test_a_claim_whose_policy_is_aws_s_example_is_told_what_it_lacks(house: House) -> None:
    topics = ["$aws/certificates/create/*", "$aws/provisioning-templates/LocalTemplate/provision/*"]
    document = claims_policy(house, topics)
    device = house.device()
    await house.normal(device, document)
    await device.expect(
        r"provisioning: \$aws/certificates/create-from-csr/json: .*; the policy is to allow iot:Publish, "
        r'iot:Receive and iot:Subscribe for it and what is below it, or aws.keys to be "service"; will start',
        START_S,
    )
    assert certificates(house) == 1  # that claim
    document["aws"]["keys"] = "service"
    await device.power_off()
    other = house.device()
    await house.telemetry(other, document)


async def test_a_claim_that_is_refused_may_have_been_for_minutes(house: House) -> None:
    device = house.device()
    document = house.configuration()
    identifier = certificate_id(document["aws"]["claim_certificate"])
    house.cloud.registry.update_certificate(certificateId=identifier, newStatus="INACTIVE")
    await house.normal(device, document)
    await device.expect(
        r"provisioning: .*by the broker.*; a claim that was made for minutes may have expired", START_S
    )
    house.cloud.registry.update_certificate(certificateId=identifier, newStatus="ACTIVE")
    await device.expect(ACKNOWLEDGED, 2 * START_S)
    assert seen(device, "making a key") == 1  # for all tries


async def test_a_claim_for_minutes_is_enough_for_a_life(house: House) -> None:
    template_name = house.configuration()["aws"]["template"]
    made = house.cloud.registry.create_provisioning_claim(templateName=template_name)
    claim = {"claim_certificate": made["certificatePem"], "claim_key": made["keyPair"]["PrivateKey"]}
    device = house.device()
    await house.telemetry(device, house.configuration(**claim))
    await device.power_off()
    house.cloud.registry.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
    house.cloud.registry.delete_certificate(certificateId=made["certificateId"], forceDelete=True)
    await device.power_on()
    await device.expect(ACKNOWLEDGED, START_S)
    assert seen(device, "making a key") == 1


async def rotating(house: House) -> tuple[Device, dict[str, bytes]]:
    """A device that has a certificate, which it is about to replace, and that."""
    device = house.device(ROTATE_DAYS=0)
    hasten(device)
    await house.telemetry(device)
    await device.power_off()
    [old] = sets(device).values()
    settle(device, ROTATE_DAYS=DAYS)
    return device, old


async def test_a_certificate_that_ends_soon_is_replaced_over_the_thing_s_own_connection(house: House) -> None:
    device, old = await rotating(house)
    await device.power_on()
    await device.expect(r"rotation: the certificate ends in \d+ days", 2 * START_S)
    await device.expect(r"rotation: a new certificate is stored, and tried at the next start", START_S)
    await device.expect(r"system: restarting: rotated", START_S)
    await device.expect(r"rotation: the new certificate is taken, and the old one forgotten", START_S)
    await device.expect(ACKNOWLEDGED, START_S)
    assert not seen(device, "claim asks") and certificates(house) == 2
    await device.power_off()
    found = sets(device)
    assert list(found) == ["thing"] and found["thing"] != old and found["thing"]["name"] == old["name"]
    assert key_of(found["thing"]) and found["thing"]["key"] != old["key"]


async def test_a_new_certificate_that_is_refused_is_thrown_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, old = await rotating(house)
    registry = house.cloud.registry
    other = registry.describe_provisioning_template(templateName="LocalTemplate")
    body = json.loads(other["templateBody"])
    inactive(body["Resources"])
    other["templateBody"] = json.dumps(body)
    monkeypatch.setattr(registry, "describe_provisioning_template", lambda templateName: other)
    await device.power_on()
    await device.expect(r"rotation: a new certificate is stored", 2 * START_S)
    await device.expect(r"rotation: the new certificate is not taken, and thrown away", 2 * START_S)
    await device.expect(r"system: restarting: rotated", START_S)
    await device.expect(ACKNOWLEDGED, START_S)
    await device.expect(r"rotation: the next certificate is due in \d+ min; will try again", 2 * START_S)
    await device.power_off()
    assert sets(device) == {"thing": old} and certificates(house) == 2


async def test_what_a_thing_may_not_the_claim_does(house: House) -> None:
    template(house, lambda resources: None)  # whose things have their own topics alone
    device, old = await rotating(house)
    await device.power_on()
    await device.expect(r"rotation: .*/create-from-csr/json: .*; the policy is to allow", 2 * START_S)
    await device.expect(r"rotation: the claim asks for it", START_S)
    await device.expect(r"provisioning: this is thing", START_S)
    await device.expect(r"rotation: the new certificate is taken, and the old one forgotten", 2 * START_S)
    await device.expect(ACKNOWLEDGED, START_S)
    await device.power_off()
    found = sets(device)
    assert list(found) == ["thing"] and found["thing"]["key"] != old["key"]


@pytest.mark.parametrize(("write", "outcome"), [(1, "before"), (2, "torn"), (4, "after"), (7, "torn")])
async def test_power_cut_at_a_write_of_a_rotation(house: House, write: int, outcome: str) -> None:
    """The device connects again, by a certificate and its key; tests/host/test_power_cuts.py cuts at each."""
    device, old = await rotating(house)
    await device.power_on()
    await device.expect(r"rotation: making a key", 2 * START_S)
    device.cut_at_write(write, outcome)
    if await cut(device, r"rotation: the new certificate is taken"):
        settle(device, ROTATE_DAYS=0)
        await device.power_on()
    await device.expect(ACKNOWLEDGED, START_S)
    await device.power_off()
    for parts in sets(device).values():
        assert key_of(parts) and parts["name"] == old["name"]


async def test_a_job_rotates_the_certificate(house: House) -> None:
    device = house.device(ROTATE_DAYS=0)
    await house.telemetry(device)
    registry = house.cloud.registry
    [principal] = registry.list_thing_principals(thingName=NAME)["principals"]
    house.cloud.jobs.create_job(
        jobId="renew", targets=[registry.arn(f"thing/{NAME}")], document='{"action": "rotate-certificate"}'
    )

    def status() -> str:
        described = house.cloud.jobs.executions.describe_job_execution(jobId="renew", thingName=NAME)
        return str(described["execution"]["status"])

    await until(lambda: status() in ("SUCCEEDED", "FAILED"), "the job's end")
    assert status() == "SUCCEEDED"
    assert certificates(house) == 2
    assert seen(device, "the new certificate is taken, and the old one forgotten") == 1
    await device.power_off()
    [parts] = sets(device).values()
    assert not principal.endswith(certificate_id(parts["certificate"]))
