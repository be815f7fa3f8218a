"""The rescue: a device whose version does not start, or dies again and again, takes jobs that heal it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_S
from tests.signers import Signer
from tests.system.house import HOST, START_S, House, ask, put_in_slot, seen
from tests.system.impostor import impostor
from tests.system.test_faults import cut
from tests.system.test_jobs import NAME, create, details, execution, reaches
from tests.system.test_update import QUIET, Publisher, version_of
from tools.cloud.misbehaviour import Misbehaviour
from tools.release import job, signatures
from tools.sim import Device
from tools.sim.device import ROOT
from tools.sim.packed import deployed

RAISES = "raise RuntimeError('pear')\n"
CONNECTED = f"rescue: connected as {NAME}"
STEP = 25  # one of so many writes is cut


def other(module: str, **constants: int) -> str:
    """A module of the library with other constants: a test need not wait."""
    text = (ROOT / f"lib/iot/{module}.py").read_text()
    for name, value in constants.items():
        text, count = re.subn(rf"^{name} = const\(.*?\)", f"{name} = const({value})", text, flags=re.M)
        assert count == 1
    return text


DIES_SOON = {"deaths": other("deaths", _FIRST_MS=100)}


async def broken(publisher: Publisher, **modules: str) -> Device:
    """One that was connected, and whose factory version has these modules from its next start on."""
    device = await publisher.device()
    await version_of(device)  # which it answers once it has kept that the cloud was reached
    await device.power_off()
    device.deploy(publisher.texts(QUIET.format("1.0"), "1.0", None, **modules))
    return device


def put(publisher: Publisher, device: Device, slot: str, version: str, **modules: str) -> None:
    """As an update that was kept, and then broke."""
    pack = deployed(publisher.texts(QUIET.format(version), version, None, **modules))["/firmware.pack"]
    put_in_slot(device, slot, version, pack)


async def heals(house: House, publisher: Publisher, device: Device, version: str = "9.0") -> None:
    """A job brings a version that runs."""
    publisher.publish(f"heal-{version[0]}", version)
    await device.expect("rescue: the new version is tried", PATIENCE_S)
    await device.expect(f"app: {version}", START_S)
    await reaches(house, f"heal-{version[0]}", "SUCCEEDED")
    assert await version_of(device) == version


@pytest.mark.parametrize(
    "modules",
    [
        {"system": RAISES},
        {"log": RAISES},
        {"heap": RAISES} | DIES_SOON,
        {"deaths": RAISES, "transitions": RAISES},
        {"transitions": RAISES} | DIES_SOON,
        {"mqtt/client": RAISES} | DIES_SOON,
        {"tls": RAISES} | DIES_SOON,
        {"wifi/station": "# nothing\n"} | DIES_SOON,
        {"aws/jobs": "class Jobs:\n    async def run(self):\n        pass\n"} | DIES_SOON,
    ],
    ids="+".join,
)
async def test_what_does_not_start_takes_a_job_that_heals_it(house: House, modules: dict[str, str]) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, **modules)
    await device.power_on()
    await device.expect(CONNECTED, PATIENCE_S)
    await heals(house, publisher, device)
    assert not [line for line in device.lines if "X-Amz" in line], "a URL that anybody can use"


async def test_both_slots_and_the_factory_version_broken(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    put(publisher, device, "a", "2.0", system=RAISES)
    put(publisher, device, "b", "3.0", system=RAISES)
    await device.power_on()
    await device.expect(CONNECTED, PATIENCE_S)
    await heals(house, publisher, device)


async def test_an_update_that_cannot_be_rescued_gives_way_to_the_factory_version(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher)
    put(publisher, device, "a", "2.0", system=RAISES, **{"rescue/life": RAISES})
    await device.power_on()
    await device.expect("main.py has ended", START_S)
    await device.expect("pack: slot 1 is not whole", START_S)
    await device.expect("app: 1.0", START_S)
    publisher.publish("heal", "4.0")
    await reaches(house, "heal", "SUCCEEDED")


async def test_an_update_that_cannot_judge_updates_gives_way_too(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher)
    put(publisher, device, "a", "2.0", system=RAISES, **{"crypto/p256": RAISES})
    publisher.publish("heal", "4.0")
    await device.power_on()
    await device.expect(r"rescue: iot\.crypto\.p256 cannot be imported: RuntimeError: pear; the", START_S)
    await device.expect("app: 1.0", START_S)
    await reaches(house, "heal", "SUCCEEDED")


async def test_a_factory_version_that_cannot_judge_updates_says_what_is_broken(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES, **{"ota/forms": RAISES})
    publisher.publish("heal", "4.0")
    await device.power_on()
    await reaches(house, "heal", "FAILED")
    assert details(house, "heal")["message"] == "iot.ota.forms cannot be imported: RuntimeError: pear"
    create(house, "reset", {"action": "factory-reset"})
    await reaches(house, "reset", "SUCCEEDED")


async def test_modules_that_load_and_do_not_work_are_told_too(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES, **{"ota/verify": "async def manifest(*_):\n    x\n"})
    publisher.publish("heal", "4.0")
    await device.power_on()
    await reaches(house, "heal", "FAILED")
    assert details(house, "heal")["message"].startswith("NameError: ")


async def test_a_new_root_is_kept(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    await device.power_on()
    old = publisher.key
    publisher.new_key(version=2)
    for job_id, keys, end in (("no", [old], "FAILED"), ("root", [old, publisher.key], "SUCCEEDED")):
        lines = signatures.read(key.sign(publisher.root) for key in keys)
        create(house, job_id, json.loads(job.document(publisher.root.encode(), lines)))
        assert await reaches(house, job_id, "FAILED", "SUCCEEDED") == end
    publisher.publish("stolen", "2.0", key=old)
    await reaches(house, "stolen", "FAILED")
    await heals(house, publisher, device)


async def test_a_mode_ota_that_dies_is_done_without(house: House) -> None:
    """The job was begun by a version that cannot do it: the rescue goes on with it."""
    publisher = Publisher(house)
    device = await broken(publisher, **{"ota/update": RAISES}, **DIES_SOON)
    await device.power_on()
    await device.expect("cloud: connected", START_S)
    publisher.publish("heal", "2.0")
    await device.expect("RuntimeError: pear", START_S)
    await device.expect("rescue: this version has died 6 times in a row", PATIENCE_S)
    await reaches(house, "heal", "SUCCEEDED")
    assert await version_of(device) == "2.0" and not (device.files / "certs/update").exists()


async def test_idle_has_it_beside_the_console(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    await version_of(device)  # which it answers once it has kept that the cloud was reached
    await device.power_off()
    texts = publisher.texts(QUIET.format("1.0"), "1.0")
    texts["firmware/settings.py"] += "NAME_PREFIX = 'no name'\n"
    device.deploy(texts)
    await device.power_on()
    await device.expect("system: mode IDLE", START_S)
    await device.expect(CONNECTED, START_S)
    assert await ask(device, "mode") == "ok IDLE"
    await heals(house, publisher, device)


async def test_what_it_does_beside_updates(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    create(house, "blink", {"action": "blink"})
    await device.power_on()
    assert await reaches(house, "blink", "REJECTED", "FAILED") == "REJECTED"
    create(house, "status", {"action": "status"})
    await reaches(house, "status", "SUCCEEDED")
    told = details(house, "status")
    assert told["why"] == "RuntimeError: pear" and told["version"] == "1.0" and told["slot"] == "0"
    create(house, "reboot", {"action": "reboot"})
    await device.expect("RuntimeError: pear", START_S)
    await reaches(house, "reboot", "SUCCEEDED")
    create(house, "reset", {"action": "factory-reset"})
    await reaches(house, "reset", "SUCCEEDED")
    await device.expect("no configuration, or no certificate of a thing", START_S)
    assert not [file for file in (device.files / "certs").iterdir() if not file.name.startswith("root")]


async def test_a_job_in_whose_midst_the_device_died_is_over(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device(
        app="""
    async def main(thing):
        async def hangs(job):
            thing.log.info("app", "{} hangs")
            await __import__("asyncio").sleep(3600)
        thing.jobs.on("hangs", hangs)
    """
    )
    create(house, "hangs", {"action": "hangs"})
    await device.expect("app: 1.0 hangs", START_S)
    await device.power_off()
    device.deploy(publisher.texts(QUIET.format("1.0"), "1.0", system=RAISES))
    await device.power_on()
    await reaches(house, "hangs", "FAILED")
    assert details(house, "hangs")["message"] == "interrupted: the device is in rescue"
    await heals(house, publisher, device)


async def test_what_is_refused_is_told_and_nothing_is_fetched(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    await device.power_on()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"key": Signer()}, "0 of 1 signatures by root 1"),
        ({"document": {"manifest": "pear"}}, "not lines of ASCII"),
        ({"document": {"url": "http://localhost/x"}}, "url: not https://"),
        ({"product": "other"}, "product other: this device has esp32-iot (wrong software)"),
        ({"expires": datetime(2020, 1, 1, tzinfo=UTC)}, "(freeze)"),
    ]
    for number, (told, why) in enumerate(cases):
        publisher.publish(f"no{number}", "2.0", **told)
        assert await reaches(house, f"no{number}", "REJECTED", "FAILED", "SUCCEEDED") == "FAILED"
        assert why in details(house, f"no{number}")["message"], told
    await heals(house, publisher, device)


@pytest.mark.parametrize(
    ("rules", "end", "message"),
    [
        ([Misbehaviour("stall", times=1, amount=30_000)], "SUCCEEDED", ""),
        ([Misbehaviour("reset", times=2, amount=40_000)], "SUCCEEDED", ""),
        ([Misbehaviour("reset", times=1, amount=40_000), Misbehaviour("no-range")], "SUCCEEDED", ""),
        ([Misbehaviour("wrong-name", times=1)], "FAILED", "does not match with the expected CN"),
        ([Misbehaviour("lie")], "FAILED", "not the file's"),
        ([Misbehaviour("redirect")], "FAILED", "status 30"),
    ],
    ids=lambda value: "+".join(rule.kind for rule in value) if isinstance(value, list) else None,
)
async def test_a_server_that_misbehaves(
    house: House, rules: list[Misbehaviour], end: str, message: str
) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    house.cloud.gate.rules.extend(rules)
    await device.power_on()
    publisher.publish("heal", "2.0")
    await reaches(house, "heal", "SUCCEEDED", "FAILED")
    assert execution(house, "heal")["status"] == end
    assert message in details(house, "heal").get("message", "")


@pytest.mark.parametrize(
    "rule",
    [
        Misbehaviour("never", "jobs", times=2),
        Misbehaviour("twice", "jobs"),
        Misbehaviour("late", "jobs", seconds=1),
        Misbehaviour("throttling", "jobs", times=2),
        Misbehaviour("refusing", "jobs", times=2),
        Misbehaviour("hang-up", "PUBLISH", times=3),
        Misbehaviour("deaf", "PUBLISH", times=2),
        Misbehaviour("deaf", "SUBSCRIBE", times=1),
        pytest.param(Misbehaviour("deaf", "PINGREQ"), marks=pytest.mark.every),
    ],
    ids=lambda rule: f"{rule.kind}-{rule.where}",
)
async def test_a_cloud_that_misbehaves_is_asked_again(house: House, rule: Misbehaviour) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    house.cloud.gate.rules.append(rule)
    await device.power_on()
    if rule.where == "PINGREQ":
        await device.expect("rescue: tries again: TimeoutError|rescue: tries again: OSError", PATIENCE_S)
    await heals(house, publisher, device)


async def test_ctrl_c_leads_to_the_prompt_for_an_hour(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    await device.power_on()
    await device.expect(CONNECTED, PATIENCE_S)
    device.interrupt()
    await device.ended()
    assert device.lines[-1].startswith("KeyboardInterrupt")


async def test_another_file_than_the_signed_one_is_not_run(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    pack = deployed(publisher.texts(QUIET.format("2.0"), "2.0"))["/firmware.pack"]
    publisher.publish("other", "2.0", content=pack[:-1] + bytes([pack[-1] ^ 1]))
    await device.power_on()
    await reaches(house, "other", "FAILED")
    assert "(arbitrary software)" in details(house, "other")["message"]


@pytest.mark.every
async def test_a_version_that_does_not_heal_is_told_and_not_tried_again(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    publisher.publish("worse", "2.0", others={"system": "raise RuntimeError('plum')\n"})
    await device.power_on()
    for _ in range(3):
        await device.expect("RuntimeError: plum", PATIENCE_S)
        await device.expect("rescue: a version on trial", START_S)
    await device.expect("RuntimeError: pear", PATIENCE_S)
    await reaches(house, "worse", "FAILED")
    assert details(house, "worse")["message"] == "it did not start, or did not reach the cloud"
    publisher.publish("worse2", "2.0", others={"system": "raise RuntimeError('plum')\n"})
    await reaches(house, "worse2", "FAILED")
    await heals(house, publisher, device)


@pytest.mark.every
async def test_networks_that_are_away_are_waited_for(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    house.world.wifi_lost(True)
    await device.power_on()
    for _ in range(3):
        await device.expect("rescue: tries again: OSError: no network lets the device in", PATIENCE_S)
    house.world.wifi_lost(False)
    await device.expect(CONNECTED, PATIENCE_S)
    house.world.wifi_lost(True)
    await device.expect("rescue: tries again: ", PATIENCE_S)
    house.world.wifi_lost(False)
    await device.expect(CONNECTED, PATIENCE_S)
    await heals(house, publisher, device)


async def test_a_server_with_another_s_certificate_hears_nothing(house: House, tmp_path: Path) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    async with impostor(tmp_path, HOST) as stranger:
        house.world.hosts[HOST] = ("127.0.0.1", stranger.port)
        await device.power_on()
        await device.expect("rescue: tries again: ValueError", PATIENCE_S)
        assert not any(stranger.heard)
    house.world.hosts[HOST] = ("127.0.0.1", house.cloud.port)
    await device.expect(CONNECTED, PATIENCE_S)
    await heals(house, publisher, device)


async def test_a_clock_that_no_server_sets_is_no_way_around_certificates(house: House) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    house.world.ntp.mode = "silent"
    await device.power_on()
    await device.expect(CONNECTED, PATIENCE_S)  # by the last time that was known
    assert seen(device, r"rescue: pool\.ntp\.org: .*(110|TIMEDOUT)")
    house.world.ntp.mode = "answers"
    await heals(house, publisher, device)


async def test_after_an_hour_the_version_is_tried_once_more(house: House) -> None:
    publisher = Publisher(house)
    soon = {"rescue/life": other("rescue/life", _LIFE_MS=20_000)}
    device = await broken(publisher, **{"mqtt/client": RAISES}, **soon, **DIES_SOON)
    await device.power_on()
    for _ in range(2):
        await device.expect(CONNECTED, PATIENCE_S)
        await device.expect("rescue: has the version tried again", PATIENCE_S)
        await device.expect("RuntimeError: pear", START_S)
        await device.expect("rescue: this version has died 6 times in a row", START_S)


@pytest.mark.parametrize(("first", "outcome"), [(1, "before"), (9, "torn"), (17, "after")])
async def test_a_cut_at_any_write_leaves_a_device_that_heals(house: House, first: int, outcome: str) -> None:
    publisher = Publisher(house)
    device = await broken(publisher, system=RAISES)
    cuts = 0
    publisher.publish("heal", "2.0")
    for write in range(first, 2000, STEP):
        device.cut_at_write(write, outcome)
        await device.power_on()
        if not await cut(device, "jobs: heal: SUCCEEDED"):
            break
        cuts += 1
    await reaches(house, "heal", "SUCCEEDED")
    assert cuts > 2 and await version_of(device) == "2.0"
