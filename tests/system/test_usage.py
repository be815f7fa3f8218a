"""What a device sends is what `aws cost` reckons with; what it asks for is what `aws check` looks for."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest

from tests.patience import until
from tests.system.house import House
from tools.aws import rights, usage
from tools.aws.rights import Right
from tools.cloud import packet as mqtt
from tools.cloud.authorization import Authorization
from tools.cloud.client import Client
from tools.cloud.connection import Connection

_PUBLISH = 3  # of MQTT's packet types
_SPEED = 30


@pytest.fixture
def metered(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[str, int]]]:
    """By client id, what AWS would count: (topic or kind, bytes)."""
    seen: dict[str, list[tuple[str, int]]] = defaultdict(list)
    received, send = Client.received, Connection.send

    def taken(self: Client, packet: Any) -> None:
        if isinstance(packet, mqtt.Connect):
            seen[packet.client_id].append(("CONNECT", 0))
        elif isinstance(packet, mqtt.Publish):
            seen[self.client_id].append((packet.topic, len(packet.topic) + len(packet.payload)))
        elif isinstance(packet, mqtt.Subscribe | mqtt.Puback):
            seen[self.client_id].append((type(packet).__name__.upper(), 0))
        received(self, packet)

    def sent(self: Connection, data: bytes) -> None:
        if data[0] >> 4 == _PUBLISH:
            seen[self._handler.client_id].append(("answer", len(data)))  # type: ignore[attr-defined]
        send(self, data)

    monkeypatch.setattr(Client, "received", taken)
    monkeypatch.setattr(Connection, "send", sent)
    return seen


async def test_the_example_sends_what_a_months_cost_rests_on(
    house: House, metered: dict[str, list[tuple[str, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[tuple[str, Right]] = set()
    allows = Authorization.allows

    def noted(self: Authorization, action: str, resource: str) -> bool:
        asked.add((self._client_id, Right(action, resource)))
        return allows(self, action, resource)

    monkeypatch.setattr(Authorization, "allows", noted)
    monkeypatch.setenv("SIM_SPEED", str(_SPEED))
    device = house.device()
    await house.telemetry(device)
    (name,) = (one for one in metered if not one.startswith("claim-"))
    wanted = usage.CONNECTION_MESSAGES + usage.DAY_MESSAGES  # the first of those comes soon

    def around() -> Counter[str]:
        return Counter(kind for kind, _ in metered[name] if not kind.startswith("telemetry/"))

    await until(lambda: around().total() >= wanted, "the question of each day")
    await device.power_off()
    assert around().total() == wanted, around()
    shadow = [kind for kind in around().elements() if kind.endswith(("shadow/get", "shadow/update"))]
    assert len(shadow) == usage.CONNECTION_OPERATIONS
    assert len(metered[f"claim-{name}"]) == usage.CLAIM_MESSAGES
    template = house.configuration()["aws"]["template"]
    needs = {(name, right) for right in rights.of_thing(name)}
    needs |= {(f"claim-{name}", right) for right in rights.of_claim(template, name, own_key=True)}
    assert asked <= needs, "`aws check` asks for less than a device does"
    telemetry = [size for kind, size in metered[name] if kind.startswith("telemetry/")]
    assert abs(max(telemetry) - usage.TELEMETRY_BYTES) <= 10, telemetry
    told = [line.partition(" I app: telemetry ")[0] for line in device.lines if " I app: telemetry " in line]
    apart = min(float(late) - float(early) for early, late in pairwise(told))
    assert usage.TELEMETRY_S - 0.05 <= apart <= 2 * usage.TELEMETRY_S  # it waits for a PUBACK as long again
