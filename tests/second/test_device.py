"""The unmodified device against both clouds: what is seen here does not rest on what we believe of AWS.

A cloud lives longer than a test here: each test's device is another one.
"""

import json

from tests.host.cloud.support import connect_packet
from tests.patience import until
from tests.second.aws import Aws
from tests.second.client import raw
from tests.system.house import ALL, START_S, Site, ask, seen, status
from tools.sim import Device

ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"
LISTENS = """
    async def main(thing):
        commands = thing.subscribe("cmd/" + thing.name)
        thing.log.info("app", "listening {}", await commands.acknowledged(120_000))
        async for topic, payload in commands:
            thing.log.info("app", "got {}", payload.decode())
"""
DENIED = """
    async def main(thing):
        denied = thing.subscribe("elsewhere/#")
        allowed = thing.subscribe("cmd/" + thing.name)
        refused = thing.publish("elsewhere", "no", qos=1)
        thing.log.info("app", "telemetry {}", await thing.publish("telemetry/" + thing.name, {}, qos=1))
        thing.log.info("app", "allowed {}", await allowed.acknowledged(120_000))
        thing.log.info("app", "denied {}", await denied.acknowledged(120_000))
        thing.log.info("app", "refused {}", await refused)
        async for _, payload in allowed:
            thing.log.info("app", "got {}", payload.decode())
"""


def name(device: Device) -> str:
    return "esp32-" + device.chip.mac.replace(":", "")


def principals(aws: Aws, device: Device) -> list[str]:
    return aws.iot.list_thing_principals(thingName=name(device))["principals"]


async def test_it_claims_and_sends_telemetry(site: Site, aws: Aws) -> None:
    device = site.device()
    received: list[tuple[str, bytes]] = []
    topic = f"telemetry/{name(device)}"
    async with site.subscriber(lambda *message: received.append(message), topic):
        await site.telemetry(device)
        await until(lambda: received, "a message at the subscriber")
    assert received[0][0] == topic and json.loads(received[0][1])["starts"] == 1
    (principal,) = principals(aws, device)
    certificate = aws.iot.describe_certificate(certificateId=principal.rpartition("/")[2])
    assert certificate["certificateDescription"]["status"] == "ACTIVE"
    assert len(aws.iot.list_attached_policies(target=principal)["policies"]) == 1
    thing = aws.iot.describe_thing(thingName=name(device))
    assert thing["attributes"] == {"serialNumber": name(device)}
    await ask(device, "restart")
    await device.expect(ACKNOWLEDGED, START_S)
    assert seen(device, "this is thing") == 1 and principals(aws, device) == [principal]


async def test_thrown_off_it_connects_again(site: Site, aws: Aws) -> None:
    """By another with its client id: every cloud ends a connection for that."""
    device = site.device(LISTENS)
    await site.normal(device)
    await device.expect(r"app: listening True", START_S)
    async with site.subscriber(lambda *_: None, f"telemetry/{name(device)}") as subscriber:
        subscriber.publish(f"cmd/{name(device)}", b"before")
        await device.expect(r"app: got before", START_S)
        async with raw(aws, aws.create_identity(ALL), site.folder) as peer:
            peer.send(connect_packet(name(device), clean=False))
            await device.expect(r"W cloud: ", START_S)
        await device.expect(r"cloud: connected, session kept: True", START_S)
        subscriber.publish(f"cmd/{name(device)}", b"after")
        await device.expect(r"app: got after", START_S)


async def test_what_is_sent_while_it_is_off_waits_for_it(site: Site) -> None:
    device = site.device(LISTENS)
    await site.normal(device)
    await device.expect(r"app: listening True", START_S)
    async with site.subscriber(lambda *_: None, f"telemetry/{name(device)}") as subscriber:
        subscriber.publish(f"cmd/{name(device)}", b"first")
        await device.expect(r"app: got first", START_S)
        await device.power_off()
        for number in range(3):
            subscriber.publish(f"cmd/{name(device)}", b"kept %d" % number)
        await device.power_on()
        await device.expect(r"cloud: connected, session kept: True", START_S)
        for number in range(3):
            await device.expect(rf"app: got kept {number}", START_S)


async def test_what_no_policy_allows_leaves_the_rest(site: Site) -> None:
    device = site.device(DENIED)
    async with site.subscriber(lambda *_: None, f"telemetry/{name(device)}") as subscriber:
        await site.normal(device)
        for line in ("telemetry True", "allowed True", "denied False", "refused False"):
            await device.expect(rf"app: {line}", START_S)
        subscriber.publish(f"cmd/{name(device)}", b"hello")
        await device.expect(r"app: got hello", START_S)
        assert (await status(device))["dropped"] == 2


async def test_a_refused_certificate_is_replaced_by_the_claim(site: Site, aws: Aws) -> None:
    device = site.device(REFUSALS_FOR_GOOD=3)
    await site.telemetry(device)
    (principal,) = principals(aws, device)
    aws.iot.update_certificate(certificateId=principal.rpartition("/")[2], newStatus="INACTIVE")
    await ask(device, "restart")
    await device.expect(r"cloud: the certificate is refused for good", START_S)
    await device.expect(r"provisioning: this is thing", START_S)
    await device.expect(ACKNOWLEDGED, START_S)
    assert len(principals(aws, device)) == 2 and principal in principals(aws, device)
