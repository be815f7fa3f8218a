"""A configuration by job, on trial, with a way back whatever it says; and the log, for a while."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.patience import until
from tests.system.house import ALL, START_S, WIFI, House, seen, settle, status
from tests.system.test_jobs import NAME, connected, create, details, reaches
from tools.cloud import Cloud
from tools.cloud.events import Event
from tools.sim import Device

OTHER = "other.example.com"
REACH_MS = 8000
APP = """
    async def main(thing):
        thing.log.info("app", "has {}", sorted(thing.config.items()))
"""


async def on_trial(house: House, config: dict[str, Any], app: str = APP) -> Device:
    """A device with little patience, connected, which was sent this."""
    device = await connected(house, app)
    settle(device, WIFI_REACH_MS=REACH_MS, CLOUD_REACH_MS=REACH_MS)
    create(house, "new", {"action": "configure", "config": config})
    return device


def sets(device: Device) -> list[str]:
    """What it keeps of configurations and certificates, its memory of those it has asked for aside."""
    return sorted({path.name for path in (device.files / "certs").iterdir()} - {"renewal"})


async def test_a_configuration_with_which_the_cloud_is_reached_stays(house: House) -> None:
    house.world.air.access_points["Other"] = "another horse"
    device = await on_trial(
        house, {"app": {"every_s": 9}, "wifi": [{"ssid": "Other", "password": "another horse"}]}
    )
    await device.expect(r"system: restarting: new configuration, on trial", START_S)
    assert await reaches(house, "new", "SUCCEEDED", "FAILED") == "SUCCEEDED"
    await device.expect(r"app: has \[\('every_s', 9\)\]", START_S)
    assert (await status(device))["wifi"] == "Other"
    await device.power_off()
    assert sets(device) == ["config1", "thing"]
    await device.power_on()
    await device.expect(r"cloud: connected", START_S)
    assert seen(device, "another horse") == 0


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"wifi": [{"ssid": "Nowhere", "password": "another horse"}]}, "Wi-Fi was never reached"),
        ({"aws": {"endpoint": "nowhere.example.com"}}, "the cloud was never reached"),
        ({"wifi": []}, "wifi: a list of 1 to 8"),
        ({"aws": {"claim_key": "-----BEGIN"}}, "aws.claim_key: "),
        ({"app": {"x": "y" * 1950}}, "at most 1900 bytes"),
    ],
    ids=["no Wi-Fi", "no cloud", "no network", "no key", "too large"],
)
async def test_one_without_gives_way_to_the_one_before(
    house: House, config: dict[str, Any], why: str
) -> None:
    device = await on_trial(house, config)
    assert await reaches(house, "new", "SUCCEEDED", "FAILED") == "FAILED"
    message = details(house, "new")["message"]
    assert message.startswith("the old configuration goes on: ") and why in message
    await device.expect(r"app: has \[\]", START_S)
    assert (await status(device))["wifi"] == WIFI["ssid"]
    await device.power_off()
    assert sets(device) == ["config0", "thing"]


async def test_the_power_goes_while_it_is_on_trial(house: House) -> None:
    device = await on_trial(house, {"wifi": [{"ssid": "Nowhere", "password": "another horse"}]})
    for _ in range(3):
        await device.expect(r"system: mode NORMAL", START_S)
        await device.power_off()
        await device.power_on()
    assert await reaches(house, "new", "SUCCEEDED", "FAILED") == "FAILED"
    assert (await status(device))["wifi"] == WIFI["ssid"]


@pytest.mark.parametrize("is_right", [True, False])
async def test_another_cloud(house: House, is_right: bool, tmp_path: Path) -> None:
    """Where it takes the device it has it; else the one before has its certificate still."""
    told: list[Event] = []
    async with Cloud(tmp_path / "other", hosts=(OTHER,), on_event=told.append) as other:
        house.world.hosts[OTHER] = ("127.0.0.1", other.port)
        document = other.device_configuration([WIFI], endpoint=OTHER)
        aws = {key: document["aws"][key] for key in ("endpoint", "root_ca", "claim_certificate", "claim_key")}
        if not is_right:
            aws["claim_certificate"], aws["claim_key"] = house.cloud.create_identity(ALL)
        device = await on_trial(house, {"aws": aws})
        if is_right:
            await until(
                lambda: any((e.kind, e.client_id) == ("connected", NAME) for e in told), "the other cloud"
            )
            await status(device)
            await device.power_off()
            assert sets(device) == ["config1", "thing"]
        else:
            assert await reaches(house, "new", "SUCCEEDED", "FAILED") == "FAILED"
            assert seen(device, "asking for a certificate") == 1
            await device.power_off()
            assert sets(device) == ["config0", "thing"]


async def test_the_log_reaches_the_cloud_for_a_while(house: House) -> None:
    lines: list[dict[str, Any]] = []
    device = await connected(house)
    async with house.subscriber(
        lambda _, payload: lines.append(json.loads(payload)), f"telemetry/{NAME}/log"
    ):
        create(house, "log", {"action": "log", "level": "debug", "minutes": 1})
        await reaches(house, "log", "SUCCEEDED")
        create(house, "one", {"action": "blink"})
        await until(lambda: any("ran one" in line["text"] for line in lines), "a line of the application")
    assert (await status(device))["mode"] == "NORMAL"
