"""Updates end to end: a signed pack by a job, over HTTPS into a slot, on trial, kept or given up."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.extras import TOLD
from tests.patience import PATIENCE_S
from tests.signers import Signer, root_of
from tests.system.house import START_S, House, changes, status
from tests.system.test_faults import cut
from tests.system.test_jobs import NAME, create, details, execution, reaches
from tools.cloud.misbehaviour import Misbehaviour
from tools.release import job, signatures
from tools.release.manifest import APP as KIND
from tools.release.manifest import Manifest
from tools.sim import Device
from tools.sim.packed import deployed

MANY = 20
STEP = 60  # one of so many writes is cut; a new version takes some hundred
FILE_STEP = 16
SEALING = 12  # writes at the end of an installation, at least: manifest, trial, order
FAR = datetime(2040, 1, 1, tzinfo=UTC)
QUIET = """
    async def main(thing):
        thing.log.info("app", "{}")
"""
OWN = """
    async def main(thing):
        def takes(job):
            thing.jobs.on("OTA", lambda job: dict(own=job.document["x"]))

        thing.jobs.on("say", lambda job: job.document["what"])
        thing.jobs.on("take", takes)
"""
TESTED = """
    async def main(thing):
        pass

    async def self_test(thing):
        {}
"""


@dataclass
class Publisher:
    """Who makes this product, and updates of it."""

    house: House

    def __post_init__(self) -> None:
        self.house.cloud.s3.objects.create_bucket("releases")
        self.new_key(version=1)

    def new_key(self, version: int) -> None:
        """Another key, and the root of this version, that says so."""
        self.key = Signer()
        self.root = root_of("esp32-iot", [self.key], 1, version)

    def texts(
        self, app: str | None, version: str, hours: tuple[int, ...] | None = None, **others: str
    ) -> dict[str, str]:
        """What makes this version of the product's; `others` are modules of the library, by their names."""
        root = {"firmware/update_root.py": f'ROOT = """\\\n{self.root}"""\n'}
        modules = {f"lib/iot/{name}.py": text for name, text in others.items()}
        return changes(app, VERSION=version, UPDATE_HOURS=hours) | root | modules

    async def device(self, version: str = "1.0", app: str = QUIET) -> Device:
        """One that is connected."""
        device = self.house.device(packed=True)
        device.deploy(self.texts(app.format(version), version))
        await self.house.normal(device)
        await device.expect("cloud: connected", START_S)
        return device

    def publish(
        self,
        job_id: str,
        version: str,
        app: str | None = QUIET,
        content: bytes | None = None,
        key: Signer | None = None,
        others: dict[str, str] | None = None,
        document: dict[str, Any] | None = None,
        targets: list[str] | None = None,
        settings: dict[str, Any] | None = None,
        **members: Any,
    ) -> Manifest:
        """Make a job of it; `members` of the manifest, and `content`, are other than they should be."""
        texts = self.texts(app and app.format(version), version, None, **(others or {}))
        pack = deployed(texts)["/firmware.pack"]
        digest = hashlib.sha256(pack).hexdigest()
        right = Manifest("esp32-iot", KIND, version, 0, FAR, "ESP32", (), len(pack), digest, "1.25.0", "6")
        manifest = replace(right, **members)
        text = manifest.text()
        signed = [f"{self.key.name}:{(key or self.key).sign(text.decode()).partition(':')[2]}"]
        self.house.cloud.s3.objects.put("releases", f"{job_id}.pack", pack if content is None else content)
        url = job.url("releases", f"{job_id}.pack", "us-east-1")
        told = json.loads(job.document(text, signatures.read(signed), url)) | (document or {})
        arns = [self.house.cloud.registry.arn(f"thing/{name}") for name in targets or [NAME]]
        self.house.cloud.jobs.create_job(
            jobId=job_id,
            targets=arns,
            document=json.dumps(told),
            presignedUrlConfig=job.presigned(),
            **(settings or {}),
        )
        return manifest


async def version_of(device: Device) -> str:
    """As its console tells, even where it has only just got its power back."""
    async with asyncio.timeout(START_S):
        while not device.running:
            await asyncio.sleep(0.05)
    return (await status(device))["version"]


async def runs_the_old_or_the_new(
    house: House, device: Device, job_id: str, old: str, new: str, about: object
) -> tuple[str, str]:
    """How a job ended, and the version that runs: the new one where it succeeded, and only there."""
    ended = await reaches(house, job_id, "SUCCEEDED", "FAILED", "REJECTED")
    now = await version_of(device)
    assert now == (new if ended == "SUCCEEDED" else old), (about, ended, details(house, job_id))
    assert ended in ("SUCCEEDED", "FAILED"), (about, ended)
    return ended, now


async def test_an_update_is_installed_tried_and_kept(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    for number, (version, folder) in enumerate((("2.0", "/a"), ("3.0", "/b"), ("4.0", "/a"))):
        manifest = publisher.publish(f"job{number}", version, counter=number)
        await device.expect("update_accepted|job job", PATIENCE_S)
        await device.expect("mode OTA", START_S)
        await device.expect(rf"I update: version {version}: 0 of {manifest.size} bytes are there", START_S)
        await device.expect(rf"restarting: version {version} is installed", PATIENCE_S)
        await device.expect(rf"app: {version}", START_S)
        await device.expect(rf"I update: version {version} counts from now on", START_S)
        await reaches(house, f"job{number}", "SUCCEEDED")
        assert await version_of(device) == version
        assert (device.files / folder[1:] / "manifest").read_bytes().startswith(manifest.text())
    assert not (device.files / "certs/update").exists()
    for _ in range(4):  # more than a trial has
        await device.power_off()
        await device.power_on()
        await device.expect("app: 4.0", START_S)
    publisher.publish("old", "2.1", counter=1)
    assert await reaches(house, "old", "REJECTED", "SUCCEEDED", "FAILED") == "FAILED"
    assert details(house, "old")["message"] == "counter 1: this device has 2 (rollback)"
    publisher.publish("same", "4.0", counter=2)
    await reaches(house, "same", "SUCCEEDED")  # it runs already


@pytest.mark.parametrize(
    ("app", "why"),
    [
        ("raise KeyError('pear')\n", "the application: KeyError: "),
        (QUIET + "        raise ValueError('pear')\n", "the application: ValueError: pear"),
        (TESTED.format("raise ValueError('pear')"), "self_test: ValueError: pear"),
        (TESTED.format("await __import__('asyncio').sleep(3600)"), "self_test took more than 60 s"),
    ],
)
async def test_an_application_that_is_no_good_goes_back(house: House, app: str, why: str) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    publisher.publish("bad", "2.0", app.replace("{", "{{").replace("}", "}}"))
    await device.expect("version 2.0 is installed", PATIENCE_S)
    await device.expect("the version on trial is given up", PATIENCE_S)
    await device.expect("app: 1.0", PATIENCE_S)
    await reaches(house, "bad", "FAILED")
    assert details(house, "bad")["message"].startswith(why)
    assert await version_of(device) == "1.0"
    publisher.publish("bad2", "2.0", app.replace("{", "{{").replace("}", "}}"))
    await reaches(house, "bad2", "FAILED")
    assert "it has failed here before" in details(house, "bad2")["message"]
    publisher.publish("again", "2.0", app.replace("{", "{{").replace("}", "}}"), document={"again": True})
    await reaches(house, "again", "FAILED")
    assert details(house, "again")["message"].startswith(why)
    publisher.publish("good", "2.1")
    await reaches(house, "good", "SUCCEEDED")
    assert await version_of(device) == "2.1"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("await asyncio.sleep(2); thing.log.info('app', 'ready')", "I app: ready"),
        ("raise ValueError('pear')", "E update: before_update: ValueError: pear"),
    ],
)
async def test_the_application_makes_ready_before_it_is_updated(house: House, lines: str, told: str) -> None:
    publisher = Publisher(house)
    hook = f"async def before_update(thing):\n        {lines}\n"
    app = QUIET.format("1.0") + f"\n    import asyncio\n\n    {hook}"
    device = await publisher.device(app=app)
    publisher.publish("better", "2.0")
    await device.expect(told, PATIENCE_S)
    await device.expect("mode OTA", START_S)
    await reaches(house, "better", "SUCCEEDED")


async def test_a_job_that_lacks_something_is_rejected(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    needed = "a manifest or a root, and a list of signatures are needed"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"signatures": None}, needed),
        ({"manifest": None}, needed),
        ({"url": "http://localhost/x"}, "url: not https://"),
    ]
    for number, (told, why) in enumerate(cases):
        publisher.publish(f"no{number}", "2.0", document=told)
        assert await reaches(house, f"no{number}", "REJECTED", "FAILED", "SUCCEEDED") == "REJECTED"
        assert why in details(house, f"no{number}")["reason"], told
    create(house, "steps", {"steps": [{"action": runs("OTA")}, {"action": runs("OTA")}]})
    await reaches(house, "steps", "REJECTED")
    assert not [line for line in device.lines if "bytes are there" in line]
    assert await version_of(device) == "1.0" and not (device.files / "certs/update").exists()


def runs(handler: str) -> dict[str, Any]:
    return {"name": "x", "type": "runHandler", "input": {"handler": handler}}


async def test_another_job_that_names_updates_is_none(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device(app=OWN)
    create(house, "say", {"action": "say", "what": {"is": "OTA"}, "then": {"action": "x"}})
    await reaches(house, "say", "SUCCEEDED")
    create(house, "steps", {"steps": [{"action": runs("take")}]})
    await reaches(house, "steps", "SUCCEEDED")
    create(house, "own", {"action": "OTA", "x": 7})  # the application's own takes the place of ours
    await reaches(house, "own", "SUCCEEDED")
    assert details(house, "own") == {"own": "7"}
    assert not [line for line in device.lines if "mode OTA" in line]


async def test_an_update_that_is_cancelled_before_it_is_asked_for(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    publisher.publish("late", "2.0")
    await device.expect("restarting: job late", PATIENCE_S)
    await device.power_off()
    house.cloud.jobs.cancel_job(jobId="late", force=True)
    await device.power_on()
    await device.expect("update: given up: (the job is over|TerminalState)", PATIENCE_S)
    await device.expect("app: 1.0", START_S)
    publisher.publish("next", "2.0")
    await reaches(house, "next", "SUCCEEDED")


async def test_a_url_whose_time_is_over_is_asked_for_anew(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    rules = house.cloud.gate.rules
    rules.append(Misbehaviour("reset", times=1, amount=40_000))
    publisher.publish("late", "2.0")
    await device.expect("not all has come", PATIENCE_S)
    rules.append(Misbehaviour("expired", times=1))
    await device.expect("status 403: the next life asks for another URL", PATIENCE_S)
    await device.expect("update: version 2.0: 40000 of", START_S)
    await reaches(house, "late", "SUCCEEDED")
    assert await version_of(device) == "2.0"


@pytest.mark.parametrize("cut_off", [False, True])
async def test_the_application_puts_it_off(house: House, cut_off: bool) -> None:
    """For 7 minutes, in which the power may go: then its job is taken up once more."""
    publisher = Publisher(house)
    hook = "async def before_update(thing):\n        return 0 if thing.flash.read(9, 1)[0] else veto(thing)\n"
    veto = "    def veto(thing):\n        thing.flash.write(9, b'1')\n        return 7\n"
    device = await publisher.device(app=QUIET.format("1.0") + f"\n{veto}\n    {hook}")
    publisher.publish("late", "2.0")
    await device.expect("update: begins in 7 min", PATIENCE_S)
    if cut_off:
        await asyncio.sleep(1)  # so that flash has what the application wrote
        await device.power_off()
        await device.power_on()
    else:
        assert execution(house, "late")["status"] == "QUEUED"
        house.cloud.jobs.cancel_job(jobId="late")
        publisher.publish("again", "2.0")
    await device.expect("mode OTA", PATIENCE_S)
    await reaches(house, "again" if not cut_off else "late", "SUCCEEDED")


async def test_it_waits_for_its_hours(house: House) -> None:
    publisher = Publisher(house)
    now = datetime.now(UTC)
    soon = (now.hour + 3) % 24
    device = house.device(packed=True)
    device.deploy(publisher.texts(QUIET.format("1.0"), "1.0", hours=(soon, (soon + 1) % 24 or 24, 0, 0)))
    await house.normal(device)
    await device.expect("cloud: connected", START_S)
    publisher.publish("late", "2.0")
    line = await device.expect(r"update: begins in (\d+) min", PATIENCE_S)
    assert 60 <= int(line[1]) <= 180


async def test_what_is_not_for_this_device_is_not_even_fetched(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    stranger = Signer()
    for number, (told, why) in enumerate(
        (
            ({"key": stranger}, "0 of 1 signatures by root 1"),
            ({"document": {"signatures": []}}, "0 of 1 signatures by root 1"),
            ({"document": {"manifest": "pear"}}, "not lines of ASCII"),
            ({"product": "other"}, "product other: this device has esp32-iot (wrong software)"),
            ({"chip": "ESP32S3"}, "chip ESP32S3: this device has ESP32 (wrong software)"),
            ({"micropython": "9.0.0"}, "micropython"),
            ({"mpy": "7"}, "mpy 7"),
            ({"expires": datetime(2020, 1, 1, tzinfo=UTC)}, "(freeze)"),
        )
    ):
        publisher.publish(f"no{number}", "2.0", **told)  # type: ignore[arg-type]
        assert await reaches(house, f"no{number}", "REJECTED", "FAILED", "SUCCEEDED") == "FAILED"
        assert why in details(house, f"no{number}")["message"], told
    assert not [line for line in device.lines if "bytes are there" in line]
    assert await version_of(device) == "1.0" and not (device.files / "certs/update").exists()


async def test_another_file_than_the_signed_one_is_not_run(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    pack = deployed(publisher.texts(QUIET.format("2.0"), "2.0"))["/firmware.pack"]
    publisher.publish("other", "2.0", content=pack[:-1] + bytes([pack[-1] ^ 1]))
    await reaches(house, "other", "FAILED")
    assert "(arbitrary software)" in details(house, "other")["message"]
    publisher.publish("short", "2.0", content=pack[:-1])
    await reaches(house, "short", "FAILED")
    assert "not the file's" in details(house, "short")["message"]
    assert await version_of(device) == "1.0"
    large = pack[:4] + b"\x0f" + pack[5:]  # what would have a start take 32 KiB
    publisher.publish("large", "2.0", content=large, sha256=hashlib.sha256(large).hexdigest())
    await reaches(house, "large", "FAILED")
    assert "no pack with a window of at most 4 KiB" in details(house, "large")["message"]
    publisher.publish("right", "2.0")
    await reaches(house, "right", "SUCCEEDED")


async def test_a_library_that_does_not_start_goes_back(house: House) -> None:
    """Nothing of the new version runs: boot.py counts its starts, and main.py restarts what has ended."""
    publisher = Publisher(house)
    device = await publisher.device()
    publisher.publish("bad", "2.0", others={"system": "raise RuntimeError('pear')\n"})
    await device.expect("version 2.0 is installed", PATIENCE_S)
    for _ in range(3):
        await device.expect("RuntimeError: pear", PATIENCE_S)
    await device.expect("app: 1.0", PATIENCE_S)
    await reaches(house, "bad", "FAILED")
    assert details(house, "bad")["message"] == "it did not reach the cloud"
    assert await version_of(device) == "1.0"


async def test_a_server_that_ends_connections_is_gone_on_with(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    house.cloud.gate.rules.append(Misbehaviour("reset", times=3, amount=40_000))
    publisher.publish("late", "2.0")
    starts = []
    for _ in range(3):
        line = await device.expect(r"update: version 2.0: (\d+) of \d+ bytes are there", PATIENCE_S)
        starts.append(int(line[1]))
    assert starts == [0, 40_000, 80_000]
    await reaches(house, "late", "SUCCEEDED")
    assert await version_of(device) == "2.0"


@pytest.mark.parametrize(
    ("rules", "end", "message"),
    [
        ([Misbehaviour("stall", times=1, amount=30_000)], "SUCCEEDED", ""),
        ([Misbehaviour("wrong-name", times=1)], "FAILED", "does not match with the expected CN"),
        ([Misbehaviour("reset", times=1, amount=40_000), Misbehaviour("no-range")], "SUCCEEDED", ""),
        ([Misbehaviour("lie")], "FAILED", "not the file's"),
        ([Misbehaviour("busy", times=2)], "SUCCEEDED", ""),
        ([Misbehaviour("expired", times=1)], "FAILED", "status 403"),  # it was asked for just before
        ([Misbehaviour("redirect")], "FAILED", "sends to another host"),
    ],
    ids=lambda value: "+".join(rule.kind for rule in value) if isinstance(value, list) else None,
)
async def test_a_server_that_misbehaves(
    house: House, rules: list[Misbehaviour], end: str, message: str
) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    house.cloud.gate.rules.extend(replace(rule) for rule in rules)
    publisher.publish("update", "2.0")
    await reaches(house, "update", "SUCCEEDED", "FAILED")
    assert execution(house, "update")["status"] == end
    assert message in details(house, "update").get("message", "")
    assert await version_of(device) == ("2.0" if end == "SUCCEEDED" else "1.0")
    assert not [line for line in device.lines if "X-Amz" in line], "a URL that anybody can use"


@pytest.mark.parametrize(("first", "outcome"), [(1, "before"), (5, "torn"), (9, "after")])
async def test_a_cut_at_writes_of_an_update_leaves_the_old_or_the_new(
    house: House, first: int, outcome: str
) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    runs, cuts = "1.0", 0
    for write in range(first, 2000, STEP):
        version = f"2.{write}"
        job_id = f"job{write}"
        device.cut_at_write(write, outcome)
        publisher.publish(job_id, version)
        was_cut = await cut(device, rf"jobs: {job_id}: (SUCCEEDED|FAILED)")
        if was_cut:
            cuts += 1
            await device.power_on()
        _, runs = await runs_the_old_or_the_new(house, device, job_id, runs, version, write)
        if not was_cut:
            break
    assert not was_cut and cuts > 3 and runs == version


async def test_a_new_root_takes_the_place_of_the_old_one(house: House) -> None:
    publisher = Publisher(house)
    device = await publisher.device()
    old = publisher.key
    publisher.new_key(version=2)
    text = publisher.root

    def signed(*keys: Signer) -> dict[str, Any]:
        lines = signatures.read(key.sign(text) for key in keys)
        return json.loads(job.document(text.encode(), lines))

    both = (old, publisher.key)
    for number, keys in enumerate((both[:1], both[1:])):  # a thief of one of them
        create(house, f"no{number}", signed(*keys))
        await reaches(house, f"no{number}", "FAILED")
        assert "0 of 1 signatures" in details(house, f"no{number}")["message"]
    create(house, "root", signed(*both))
    await reaches(house, "root", "SUCCEEDED")
    await device.power_off()
    await device.power_on()
    await device.expect("cloud: connected", START_S)
    publisher.publish("stolen", "2.0", key=old)
    await reaches(house, "stolen", "FAILED")
    publisher.publish("new", "2.0")  # the root in it is the same
    await reaches(house, "new", "SUCCEEDED")
    create(house, "again", signed(*both))
    await reaches(house, "again", "SUCCEEDED")


@pytest.mark.parametrize("many", [MANY, pytest.param(50, marks=pytest.mark.every)])
async def test_many_at_once_and_a_rollout_that_ends_itself(house: House, many: int) -> None:
    """The link is slow and loses connections; the second version is no good, and most never hear of it."""
    publisher = Publisher(house)
    devices = [await publisher.device() for _ in range(many)]
    names = [f"esp32-240ac40000{number:02x}" for number in range(1, many + 1)]
    house.cloud.gate.rules.append(Misbehaviour("reset", times=many, amount=60_000))
    publisher.publish("all", "2.0", targets=names)

    def states(job_id: str) -> list[str]:
        found = house.cloud.jobs.executions.list_job_executions_for_job(jobId=job_id, maxResults=250)
        return [one["jobExecutionSummary"]["status"] for one in found["executionSummaries"]]

    async with asyncio.timeout(2 * PATIENCE_S):
        while states("all") != ["SUCCEEDED"] * many:
            await asyncio.sleep(0.5)
    assert {await version_of(device) for device in devices} == {"2.0"}
    abort = {
        "criteriaList": [
            {
                "failureType": "FAILED",
                "action": "CANCEL",
                "thresholdPercentage": 10.0,
                "minNumberOfExecutedThings": 2,
            }
        ]
    }
    rollout = {"maximumPerMinute": 3}
    publisher.publish(
        "worse",
        "3.0",
        "raise ValueError('pear')\n",
        targets=names,
        settings={"abortConfig": abort, "jobExecutionsRolloutConfig": rollout},
    )
    async with asyncio.timeout(2 * PATIENCE_S):
        while house.cloud.jobs.describe_job(jobId="worse")["job"]["status"] != "CANCELED":
            await asyncio.sleep(0.5)
    assert states("worse").count("FAILED") >= 1 and len(states("worse")) < many / 2


@pytest.mark.every
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("outcome", ["before", "torn", "after"])
async def test_a_cut_at_every_write_of_an_update(
    house: House, outcome: str, record_property: Callable[[str, object], None]
) -> None:
    """At every one but for the file's own, of which one in some is cut; the table tells what came of each."""
    publisher = Publisher(house)
    device = await publisher.device()
    start = device.chip.flash_writes
    publisher.publish("whole", "2.0")
    await device.expect("bytes are there", PATIENCE_S)
    first = device.chip.flash_writes - start
    await device.expect("is installed", PATIENCE_S)
    last = device.chip.flash_writes - start - SEALING
    await reaches(house, "whole", "SUCCEEDED")
    runs, rows, write = "2.0", [], 0
    while True:
        write += FILE_STEP if first < write < last - FILE_STEP else 1
        version, job_id = f"3.{write}", f"job{write}"
        device.cut_at_write(write, outcome)
        publisher.publish(job_id, version)
        was_cut = await cut(device, rf"jobs: {job_id}: (SUCCEEDED|FAILED)")
        behind = next((line for line in reversed(device.lines) if " I " in line), "")
        if was_cut:
            await device.power_on()
        about = (write, outcome, behind)
        ended, runs = await runs_the_old_or_the_new(house, device, job_id, runs, version, about)
        rows.append(f"{write:5} {outcome:6} {ended:9} runs {runs:6} {behind.strip()[:60]}")
        if not was_cut:
            break
    record_property(TOLD, "\n".join([f"writes {first} to {last} are the file's", *rows]))
    assert len(rows) > 50
