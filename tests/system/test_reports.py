"""What a fleet needs to know of a device: told to the cloud where the settings ask for it."""

import json
from typing import Any

from tests.patience import until
from tests.system.house import START_S, House, status
from tests.system.test_supervisor import faster

NAME = "esp32-240ac4000001"
# A part of the system fails so in one life alone.
ONCE = """
import os

def fail():
    try:
        os.stat("/failed")
    except OSError:
        open("/failed", "w").close()
        raise ValueError("pear")
    return False
"""
METRICS = ("heap_free", "idf_largest", "rssi", "reconnects", "dropped", "loop_held_ms", "connected_percent")


async def test_version_metrics_log_and_a_crash_reach_the_cloud(house: House) -> None:
    for metric in (*METRICS, "crash_free_h"):
        house.cloud.defender.create_custom_metric(
            metricName=metric, metricType="number", clientRequestToken=metric
        )
    device = house.device(
        REPORTS={"crash": True, "log": "info", "metrics_s": 300, "package": "lamp-firmware"}
    )
    faster(device, "deaths.py", "_FIRST_MS", 500)
    told: dict[str, list[dict[str, Any]]] = {"log": [], "crash": []}

    def heard(topic: str, payload: bytes) -> None:
        told[topic.rpartition("/")[2]].append(json.loads(payload))

    async with house.subscriber(heard, f"telemetry/{NAME}/+"):
        await house.telemetry(device)
        await until(lambda: bool(house.cloud.defender.metrics(NAME)), "a report")
        report = house.cloud.defender.metrics(NAME)[-1]
        shadow = house.cloud.shadows.get_thing_shadow(thingName=NAME, shadowName="$package")
        await until(lambda: any("acknowledged" in line["text"] for line in told["log"]), "a report")
        assert told["crash"] == []
        await device.power_off()
        clock = device.files / "lib/iot/clock/keeper.py"
        assert "certain = False" in clock.read_text()
        clock.write_text(clock.read_text().replace("certain = False", '__import__("once").fail()'))
        (device.files / "lib/once.py").write_text(ONCE)
        await device.power_on()
        await device.expect(r"system: restarting: clock died", START_S)
        await until(lambda: bool(told["crash"]), "the crash")
        assert (await status(device))["mode"] == "NORMAL"
    assert set(METRICS) <= set(report["custom_metrics"])
    version = json.loads(shadow["payload"])["state"]["reported"]["lamp-firmware"]["version"]
    assert version.count(".") == 2
    crash = told["crash"][0]
    assert (crash["what"], crash["type"], crash["message"]) == ("clock died", "ValueError", "pear")
    assert "keeper.py" in crash["traceback"] and len(told["crash"]) == 1


async def test_nothing_of_it_is_loaded_unless_it_is_asked_for(house: House) -> None:
    device = house.device("""
        import sys

        async def main(thing):
            thing.log.info("app", "reports {}", "iot.aws.reports" in sys.modules)
    """)
    await house.normal(device)
    await device.expect(r"app: reports False", START_S)
