"""The unmodified device against both clouds: what is seen here does not rest on what we believe of AWS."""

import json

from tests.patience import until
from tests.second.aws import Aws
from tests.system.house import ALL, START_S, Site

ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"
NAME = "esp32-240ac4000001"


async def test_it_claims_and_sends_telemetry(site: Site, aws: Aws) -> None:
    device = site.device()
    received: list[tuple[str, bytes]] = []
    async with site.subscriber(lambda *message: received.append(message), "telemetry/#"):
        await site.telemetry(device)
        await until(lambda: received, "a message at the subscriber")
    topic, payload = received[0]
    assert topic == f"telemetry/{NAME}"
    assert json.loads(payload)["starts"] == 1
