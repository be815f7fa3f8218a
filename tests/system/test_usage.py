"""What a device really sends is what `aws cost` reckons with."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest

from tests.system.house import START_S, House
from tools.aws import usage
from tools.cloud import packet as mqtt
from tools.cloud.client import Client
from tools.cloud.connection import Connection

_PUBLISH = 3  # of MQTT's packet types
_SPEED = 20


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
    monkeypatch.setenv("SIM_SPEED", str(_SPEED))
    device = house.device()
    await house.telemetry(device)
    await device.expect(r"app: telemetry (1[2-9]|[2-9]\d) acknowledged", START_S)
    await device.power_off()
    (name,) = (one for one in metered if not one.startswith("claim-"))
    mine = metered[name]
    telemetry = [size for topic, size in mine if topic.startswith("telemetry/")]
    around = Counter(kind for kind, _ in mine if not kind.startswith("telemetry/"))
    assert around.total() == usage.CONNECTION_MESSAGES, around
    assert (
        sum(kind.endswith(("shadow/get", "shadow/update")) for kind, _ in mine) == usage.CONNECTION_OPERATIONS
    )
    assert len(metered[f"claim-{name}"]) == usage.CLAIM_MESSAGES
    assert abs(max(telemetry) - usage.TELEMETRY_BYTES) <= 10, telemetry
    told = [line.partition(" I app: telemetry ")[0] for line in device.lines if " I app: telemetry " in line]
    apart = min(float(late) - float(early) for early, late in pairwise(told))
    assert usage.TELEMETRY_S - 0.05 <= apart <= 2 * usage.TELEMETRY_S  # it waits for a PUBACK as long again
