"""Device Advisor's cases of MQTT (AWS IoT Core Developer Guide, "Device Advisor test cases: MQTT")."""

import random
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from tests.advisor.advisor import COMMANDS, TELEMETRY, Advisor
from tests.advisor.backoff import kind_of_backoff
from tests.patience import until
from tests.system.house import START_S
from tools.cloud import packet as mqtt

ATTEMPTS = 8  # "RECONNECTION_ATTEMPTS must be between five and ten": by few, jitter may look like no backoff
ANSWER_S = 15  # within which it has to ask again: "MQTT long duration test case", QoS 1
SHORT_ONES = 10  # connections that are closed at once: the most that it may be set to
LATE_S = 0.5  # by which a machine under load may see one handshake later than the next
PASSES = "jitter"

_RANDOM = random.Random(1)


@pytest.mark.parametrize(
    ("kind", "pauses_s"),
    [
        ("constant", [5] * 6),
        ("constant", [30.1, 30.9, 31.4, 30.2, 31.0, 30.5]),
        ("linear", [1, 2, 3, 4, 5, 6]),
        ("exponential", [1, 2, 4, 8, 16, 32]),
        ("exponential", [31, 32, 34, 38, 46, 62]),
        ("jitter", [30 + _RANDOM.uniform(0, min(64, 2**n)) for n in range(10)]),
        ("none", [_RANDOM.uniform(20, 60) - n for n in range(10)]),
    ],
)
def test_kinds_of_backoff(kind: str, pauses_s: list[float]) -> None:
    assert kind_of_backoff(pauses_s) == kind


def pauses_s(advisor: Advisor, count: int, since: int = 0) -> list[float]:
    """The times between the CONNECTs from the `since`-th packet on."""
    times = [one.at_s for one in advisor.of(mqtt.Connect, since)][: count + 1]
    return [after - before for before, after in pairwise(times)]


async def retries_without_connack(advisor: Advisor, attempts: int = ATTEMPTS) -> list[float]:
    """It is disconnected, and its CONNECTs are not answered so often; returns the pauses between them."""
    since = len(advisor.heard)
    advisor.misbehave(f"deaf={attempts}@CONNECT")
    advisor.hang_up()
    await advisor.hears(mqtt.Connect, attempts + 1, since)
    await until(lambda: advisor.connected, "the connection that was let in")
    return pauses_s(advisor, attempts, since)


async def subscribed(advisor: Advisor, since: int = 0) -> None:
    """It has asked for COMMANDS with QoS 1, and the broker was not deaf to it."""
    wanted = partial(advisor.of, mqtt.Subscribe, since, filters=((COMMANDS, 1),))
    await until(lambda: any(not one.misbehaved for one in wanted()), "a subscription")


async def asked_again(advisor: Advisor, kind: type, **members: Any) -> None:
    """A packet has no answer: the same comes again, on the same connection."""
    first, again, *_ = await advisor.hears(kind, 2, **members)
    advisor.misbehave()
    assert first.misbehaved == "deaf"
    assert again.packet.packet_id == first.packet.packet_id
    assert again.connection == first.connection and len(advisor.of(mqtt.Connect)) == 1
    assert again.at_s - first.at_s <= ANSWER_S


async def test_mqtt_connect(advisor: Advisor) -> None:
    await advisor.start()
    (connect,) = advisor.of(mqtt.Connect)
    assert 30 <= connect.packet.keep_alive_s <= 1200 and not connect.packet.clean_session


async def test_mqtt_client_puback_qos1(advisor: Advisor) -> None:
    device = await advisor.start()
    await subscribed(advisor)
    for size in (1, 1000):
        since = len(advisor.heard)
        await advisor.publish(b"x" * size)
        await device.expect(rf"app: got x{{{size}}}$", START_S)
        await advisor.hears(mqtt.Puback, 1, since)


async def test_mqtt_connect_jitter_backoff_retries(advisor: Advisor) -> None:
    """Twice five attempts without a CONNACK, and a sixth that gets one."""
    await advisor.start()
    both = [await retries_without_connack(advisor, 5) for _ in range(2)]
    assert len(advisor.of(mqtt.Connect)) >= 12
    assert kind_of_backoff(both[0] + both[1]) == PASSES


async def test_mqtt_connect_exponential_backoff_retries(advisor: Advisor) -> None:
    await advisor.start()
    assert kind_of_backoff(await retries_without_connack(advisor)) in ("exponential", PASSES)


async def test_mqtt_reconnect_backoff_retries_on_server_disconnect(advisor: Advisor) -> None:
    await advisor.start()
    assert kind_of_backoff(await retries_without_connack(advisor)) == PASSES


async def test_mqtt_reconnect_backoff_retries_on_unstable_connection(advisor: Advisor) -> None:
    """Each connection is closed as soon as it has its CONNACK; no packet is blamed for that."""
    advisor.misbehave(f"hang-up={SHORT_ONES}@CONNECT")
    device = await advisor.start()
    await advisor.hears(mqtt.Connect, SHORT_ONES + 1)
    pauses = pauses_s(advisor, SHORT_ONES)
    assert kind_of_backoff(pauses) == PASSES and min(pauses) >= 1 - LATE_S
    await subscribed(advisor)
    await advisor.publish(b"after all")
    await device.expect("app: got after all", START_S)
    assert not any("given up" in line for line in device.lines)


async def test_mqtt_reconnection_after_successful_connection(advisor: Advisor) -> None:
    """No sooner than a second after it was let in and disconnected at once."""
    advisor.misbehave("hang-up=1@CONNECT")
    await advisor.start()
    await advisor.hears(mqtt.Connect, 2)
    assert pauses_s(advisor, 1)[0] >= 1 - LATE_S


async def test_mqtt_publish(advisor: Advisor) -> None:
    await advisor.start()
    (first, *_) = await advisor.hears(mqtt.Publish, qos=0, topic=TELEMETRY)
    assert first.packet.payload == b'{"zero": 1}' and not first.packet.dup


async def test_mqtt_publish_retry_no_puback(advisor: Advisor) -> None:
    advisor.misbehave("deaf@PUBLISH")
    await advisor.start()
    await asked_again(advisor, mqtt.Publish, qos=1, topic=TELEMETRY, payload=b'{"one": 1}')
    assert [one.packet.dup for one in advisor.of(mqtt.Publish, payload=b'{"one": 1}')][:2] == [False, True]


async def test_mqtt_publish_retained_messages(advisor: Advisor) -> None:
    await advisor.start("""
        import asyncio

        async def main(thing):
            thing.publish("telemetry/" + thing.name, "kept", qos=1, retain=True)
            await asyncio.sleep(3600)
    """)
    await advisor.hears(mqtt.Publish, retain=True, topic=TELEMETRY, payload=b"kept")


async def test_mqtt_subscribe(advisor: Advisor) -> None:
    await advisor.start()
    await subscribed(advisor)


async def test_mqtt_subscribe_retry_no_suback(advisor: Advisor) -> None:
    advisor.misbehave("deaf@SUBSCRIBE")
    device = await advisor.start()
    await asked_again(advisor, mqtt.Subscribe, filters=((COMMANDS, 1),))
    await subscribed(advisor)
    await advisor.publish(b"after all")
    await device.expect("app: got after all", START_S)


async def keep_alive(advisor: Advisor) -> None:
    """Nothing is answered any more: the device itself ends the connection, within 1.5 keep-alives."""
    since = len(advisor.heard)
    advisor.misbehave("deaf@PUBLISH", "deaf@SUBSCRIBE", "deaf@PINGREQ")
    began_s = advisor.devices[0].chip.clock.time()
    await until(lambda: not advisor.connected, "the connection's end")
    took_s = advisor.devices[0].chip.clock.time() - began_s
    advisor.misbehave()
    connect = advisor.of(mqtt.Connect)[-1].packet
    assert took_s <= 1.5 * connect.keep_alive_s and advisor.of(mqtt.Pingreq, since)
    gone = advisor.cloud.connections.get_connection(clientId=connect.client_id)
    assert gone["disconnectReason"] == "CONNECTION_LOST", "not by the broker"


async def test_mqtt_no_ack_pingresp(advisor: Advisor) -> None:
    device = await advisor.start()
    await keep_alive(advisor)
    await device.expect(r"disconnected: no PINGRESP within 10000 ms", START_S)
    await advisor.hears(mqtt.Connect, 2)


async def persistent_session(advisor: Advisor, payload: bytes) -> None:
    """What came while it was away arrives, without a SUBSCRIBE."""
    device, since = advisor.devices[0], len(advisor.heard)
    advisor.misbehave("deaf@CONNECT")
    advisor.hang_up()
    await advisor.publish(payload)
    await advisor.hears(mqtt.Connect, 1, since, clean_session=False)
    advisor.misbehave()
    await device.expect(f"app: got {payload.decode()}", START_S)
    await advisor.hears(mqtt.Puback, 1, since)
    assert not advisor.of(mqtt.Subscribe, since)


async def test_mqtt_persistent_session_happy_case(advisor: Advisor) -> None:
    await advisor.start()
    await subscribed(advisor)
    await persistent_session(advisor, b"what was kept")


async def test_mqtt_expired_persistent_session(advisor: Advisor) -> None:
    device = await advisor.start()
    await subscribed(advisor)
    since = len(advisor.heard)
    advisor.hang_up(forget_session=True)
    await device.expect(r"cloud: connected, session kept: False", START_S)
    await advisor.hears(mqtt.Connect, 1, since, clean_session=False)
    await subscribed(advisor, since)
    await advisor.publish(b"after all")
    await device.expect("app: got after all", START_S)
