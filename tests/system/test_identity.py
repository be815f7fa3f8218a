"""Identity: certificates that are refused, whatever the reason, and what one that is refused may cost."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from iot.crypto import pem
from iot.storage.store import Credentials

from tests.system.house import ALL, HOST, START_S, House, ask, seen, send_configuration, status
from tests.system.test_memory import hasten
from tools.cloud import fleet
from tools.cloud.ca import Authority
from tools.sim import Device
from tools.sim.flash import CutFlash

ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"
LEFT_IN_PLACE = (
    r"cloud: the certificate is refused for good; the next one is asked for in \d+ min at the earliest"
)


def template(house: House, change: Callable[[dict[str, Any]], None]) -> None:
    """The template that devices will use is another than the usual one."""
    arn = house.cloud.registry.arn
    body = json.loads(fleet.template_body(arn))
    change(body["Resources"])
    house.cloud.registry.create_provisioning_template(
        templateName="LocalTemplate", templateBody=json.dumps(body), provisioningRoleArn="arn", enabled=True
    )


def without_connect(resources: dict[str, Any]) -> None:
    policy = {"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [policy]}
    resources["policy"]["Properties"]["PolicyDocument"] = document


def inactive(resources: dict[str, Any]) -> None:
    resources["certificate"]["Properties"]["Status"] = "INACTIVE"


def certificates(house: House) -> int:
    """How many there are beside the claim's."""
    return len(house.cloud.registry.list_certificates()["certificates"]) - 1


@pytest.mark.parametrize("change", [without_connect, inactive])
async def test_certificates_that_never_connect_are_not_replaced_one_by_one(
    house: House, change: Callable[[dict[str, Any]], None]
) -> None:
    template(house, change)
    device = house.device(REFUSALS_FOR_GOOD=2)
    hasten(device)
    await house.normal(device)
    await device.expect(LEFT_IN_PLACE)
    assert certificates(house) == 2
    assert (await ask(device, "restart")).startswith("ok")  # which forgets nothing
    await device.expect(LEFT_IN_PLACE)
    await device.expect(LEFT_IN_PLACE)
    assert certificates(house) == 2
    for one in house.cloud.registry.list_certificates()["certificates"]:  # the operator mends it
        house.cloud.registry.update_certificate(certificateId=one["certificateId"], newStatus="ACTIVE")
        house.cloud.registry.attach_policy(
            policyName=house.cloud.registry.ensure_policy(json.dumps(ALL)),
            target=house.cloud.registry.arn(f"cert/{one['certificateId']}"),
        )
    await device.expect(ACKNOWLEDGED)
    assert certificates(house) == 2


async def test_a_claim_that_is_refused_each_time_asks_ever_more_rarely(house: House) -> None:
    device = house.device()
    hasten(device)
    document = house.configuration(template="Another")
    claims = house.cloud.registry.list_certificates()["certificates"]
    policies = house.cloud.registry.ensure_policy(json.dumps(ALL))
    house.cloud.registry.attach_policy(
        policyName=policies, target=house.cloud.registry.arn(f"cert/{claims[0]['certificateId']}")
    )
    await house.normal(device, document)
    await device.expect(r"provisioning: .*404 ResourceNotFound", START_S)
    await device.expect(r"provisioning: the next try is due in 1 min", START_S)
    assert certificates(house) == 3
    assert (await ask(device, "restart")).startswith("ok")
    await device.expect(r"provisioning: the next try is due in 1 min", START_S)
    assert certificates(house) == 3


async def test_a_new_configuration_is_tried_at_once(house: House) -> None:
    device = house.device()
    hasten(device)
    await house.normal(device, house.configuration(parameters={"Serial": "{id}"}))
    await device.expect(r"provisioning: the next try is due in 1 min", START_S)
    await send_configuration(device, house.configuration())
    await device.expect(ACKNOWLEDGED, 2 * START_S)


def of_another_ca(house: House, device: Device) -> None:
    """The device's certificate becomes one that the cloud refuses within the handshake."""
    folder = house.folder / "another"
    folder.mkdir()
    certificate, key = another_identity(Authority(folder, "p256"))
    with CutFlash(device.folder).mounted():
        credentials = Credentials("/certs")
        parts = credentials.load("thing")
        assert parts is not None
        parts.update(certificate=certificate, key=key)
        credentials.save("thing", parts)


def another_identity(authority: Authority) -> tuple[bytes, bytes]:
    certificate, key = authority.issue()
    return pem.certificate(certificate), pem.key(key)


async def test_a_certificate_refused_within_the_handshake_is_replaced(house: House) -> None:
    device = house.device(REFUSALS_FOR_GOOD=3)
    hasten(device)
    await house.telemetry(device)
    await device.power_off()
    of_another_ca(house, device)
    await device.power_on()
    await device.expect(r"W cloud: disconnected: closed by the broker: TLS alert, unknown CA", START_S)
    await device.expect(r"cloud: the certificate is refused for good: closed by the broker")
    await device.expect(r"provisioning: this is thing", START_S)
    await device.expect(ACKNOWLEDGED, START_S)
    assert certificates(house) == 2 and seen(device, r"disconnected: \d+$") == 0


async def test_what_got_lost_is_counted_on_where_a_client_follows_the_other(house: House) -> None:
    app = """
        import asyncio

        async def main(thing):
            for _ in range(6):  # the outbox holds one of them
                thing.publish("t", bytes(1500), qos=1)
            thing.log.info("app", "published")
            await asyncio.sleep(10000)
    """
    device = house.device(app, REFUSALS_FOR_GOOD=3)
    hasten(device)
    await house.normal(device)
    await device.expect(r"cloud: connected", 2 * START_S)
    for one in house.cloud.registry.list_certificates()["certificates"]:  # the claim's, too
        house.cloud.registry.update_certificate(certificateId=one["certificateId"], newStatus="INACTIVE")
    assert (await ask(device, "restart")).startswith("ok")
    await device.expect(r"app: published", START_S)
    await device.expect(r"cloud: the certificate is refused for good: ", START_S)
    await device.expect(r"provisioning: given up after 3 tries", START_S)
    await device.expect(r"app: published", START_S)
    # Twice five that found no room, and the one that waited in the first client's outbox.
    assert (await status(device))["dropped"] == 11


async def test_a_broker_that_is_down_refuses_nobody(house: House) -> None:
    device = house.device(REFUSALS_FOR_GOOD=2)
    hasten(device)
    await house.telemetry(device)
    house.world.hosts[HOST] = ("127.0.0.1", 9)  # nobody listens
    assert (await ask(device, "restart")).startswith("ok")
    for _ in range(5):
        await device.expect(r"W cloud: disconnected: ", START_S)
    assert not seen(device, "refused for good")
    house.world.hosts[HOST] = ("127.0.0.1", house.cloud.port)
    await device.expect(ACKNOWLEDGED)
    assert certificates(house) == 1
