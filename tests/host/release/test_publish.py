"""A release put where devices get it, told by a job, fetched and verified, and followed to its end."""

import base64
import functools
import hashlib
import json
import os
import re
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.release.conftest import Run
from tests.host.release.test_delta import NEW, OLD, application, delta_name
from tests.host.thing.conftest import Done
from tests.host.thing.device import Device, Job, register
from tests.patience import PATIENCE_S, block_until
from tests.peers.cloud_thread import CloudThread
from tests.peers.test_paho import Client
from tools.release import delta, folder, keys, publish
from tools.release.signatures import standing
from tools.thing.account import Account

PATIENCE = str(PATIENCE_S)
URL = re.compile(r"https://[^.\\…]|X-Amz-")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudThread]:
    with CloudThread(tmp_path_factory.mktemp("cloud"), rest_port=0, files_port=0) as running:
        yield running


@pytest.fixture
def name(cloud: CloudThread, request: pytest.FixtureRequest) -> str:
    """One of a thing or a group that no other test has."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60]


@pytest.fixture
def here(cloud: CloudThread, release: Run) -> Run:
    """The verb, on this cloud; no URL that opens anything is ever printed."""

    def run(*arguments: object) -> Done:
        done = release(*arguments, "--state", cloud.folder / "state")
        assert not URL.search(done.out + done.err)
        return done

    return run


# To open a key takes a quarter of a second, and shall: in test_sign.py each time, here once for each.
opened = functools.cache(keys._private)


@pytest.fixture
def signed(release: Run, built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(keys, "_private", opened)
    for key in ("anna", "ben"):
        assert release("sign", built, "--key", key, "--no-compare").status == 0
    return built


def fetched(cloud: CloudThread, url: str, first: int = 0) -> bytes:
    context = ssl.create_default_context(cafile=str(cloud.root_ca))
    request = urllib.request.Request(url, headers={"Range": f"bytes={first}-"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S, context=context) as answer:
        assert answer.status == 206
        data: bytes = answer.read()
        return data


def updating(cloud: CloudThread, seen: list[dict[str, Any]]) -> Job:
    """Does with a job what a device does: looks at the manifest, fetches in two parts, compares the hash."""

    def job(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
        seen.append(document)
        manifest = dict(line.split(" ", 1) for line in document["manifest"].splitlines())
        yield {"status": "IN_PROGRESS", "statusDetails": {"percent": "50"}}
        half = int(manifest["size"]) // 2
        data = fetched(cloud, document["url"])[:half] + fetched(cloud, document["url"], half)
        good = hashlib.sha256(data).hexdigest() == manifest["sha256"]
        yield {"status": "SUCCEEDED" if good else "FAILED"}

    return job


def failing(reason: Callable[[dict[str, Any]], str]) -> Job:
    def job(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"status": "FAILED", "statusDetails": {"step": "download", "reason": reason(document)}}

    return job


def test_published_fetched_and_watched(cloud: CloudThread, here: Run, signed: Path, name: str) -> None:
    seen: list[dict[str, Any]] = []
    with Device(cloud, name, register(cloud, name), {"OTA": updating(cloud, seen)}):
        made = here("publish", signed, "--thing", name, "--json")
        assert made.status == 0, made.err
        watched = here("watch", made.value["jobId"], "--wait", PATIENCE, "--json")
    assert watched.status == 0, watched.err
    assert watched.value == {
        "jobId": made.value["jobId"],
        "status": "COMPLETED",
        "things": [name],
    }
    changes = [one["status"] for one in watched.objects if "thing" in one]
    assert changes[-1] == "SUCCEEDED" and set(changes) <= {"QUEUED", "IN_PROGRESS", "SUCCEEDED"}
    [document] = seen
    release = folder.load(signed)
    assert list(document) == ["action", "manifest", "signatures", "url"]
    assert document["manifest"].encode() == release.text
    assert document["signatures"] == (signed / "signatures").read_text().split()
    assert 1200 < len(document["url"]) < 2000
    assert made.value["key"] == f"lamp/{release.manifest.sha256}.pack"


def read(cloud: CloudThread, thing: str, stream: dict[str, Any]) -> bytes:
    """A file of a stream, by paho and a certificate for all."""
    base = f"$aws/things/{thing}/streams/{stream['id']}"
    device = Client(cloud, thing, cloud.identity(thing)).connect()
    device.subscribe(f"{base}/data/json", 1)
    device.publish(f"{base}/get/json", json.dumps({"f": stream["file"], "l": 131_072, "n": 1}).encode(), 1)
    block_until(lambda: device.messages, "the block")
    device.disconnect()
    return base64.b64decode(json.loads(device.messages[0].payload)["p"])


def test_published_over_mqtt(cloud: CloudThread, here: Run, signed: Path, name: str) -> None:
    """The job names a stream with the file in it; it is there once, however often it is published."""
    register(cloud, name)
    release = folder.load(signed)
    made = here("publish", signed, "--thing", name, "--over", "mqtt", "--json")
    assert made.status == 0, made.err
    assert made.value["over"] == "mqtt"
    told = cloud.call(lambda it: it.jobs.get_job_document(jobId=made.value["jobId"]))
    document = json.loads(told["document"])
    assert list(document) == ["action", "manifest", "signatures", "stream"]
    assert document["stream"] == {"id": f"release-{release.manifest.sha256[:40]}", "file": 0}
    assert read(cloud, name, document["stream"]) == release.content()
    assert here("publish", signed, "--thing", name, "--over", "mqtt").status == 0
    assert len(cloud.call(lambda it: it.streams.list_streams())["streams"]) == 1
    assert read(cloud, name, document["stream"]) == release.content()


def test_for_people(cloud: CloudThread, here: Run, signed: Path, name: str) -> None:
    with Device(cloud, name, register(cloud, name), {"OTA": updating(cloud, [])}):
        made = here("publish", signed, "--thing", name)
        assert made.status == 0, made.err
        words = made.out.splitlines()[-1].split()
        assert words[:5] == ["next", "python3", "-m", "tools", "release"]
        watched = here(*words[5:7], "--wait", PATIENCE)
    assert watched.status == 0 and "SUCCEEDED" in watched.out and "COMPLETED" in watched.out


def test_failures_with_their_reasons(cloud: CloudThread, here: Run, signed: Path, name: str) -> None:
    """A reason may have the URL in it: what opens the file is not shown."""
    job = failing(lambda document: f"403 at {document['url'][:900]} twice")
    with Device(cloud, name, register(cloud, name), {"OTA": job}):
        made = here("publish", signed, "--thing", name, "--json")
        done = here("watch", made.value["jobId"], "--wait", PATIENCE, "--json")
        shown = here("watch", made.value["jobId"])
    assert (done.status, shown.status) == (1, 1)
    assert f"{name}: FAILED reason=403 at https://… twice" in done.failure["text"]
    assert "step=download" in shown.err and "step=download" in shown.out
    assert done.objects[-2]["details"]["reason"] == "403 at https://… twice"


def test_a_group_whose_failures_abort_the_job(cloud: CloudThread, here: Run, signed: Path, name: str) -> None:
    names = [f"{name[:50]}-{number}" for number in range(6)]

    def gathered(it: Any) -> None:
        it.registry.groups.create_thing_group(thingGroupName=name)
        for one in names:
            it.registry.create_thing(thingName=one)
            it.registry.groups.add_thing_to_thing_group(thingGroupName=name, thingName=one)

    cloud.call(gathered)
    options = ("--rollout-per-minute", 1000, "--abort-at", 30, "--abort-min", 2, "--timeout-min", 60)
    made = here("publish", signed, "--group", name, *options, "--json")
    assert made.status == 0, made.err
    job_id = made.value["jobId"]
    job = cloud.call(lambda it: it.jobs.describe_job(jobId=job_id))["job"]
    assert job["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 1000}
    assert job["timeoutConfig"] == {"inProgressTimeoutInMinutes": 60}
    assert job["abortConfig"]["criteriaList"] == [
        {
            "failureType": "ALL",
            "action": "CANCEL",
            "thresholdPercentage": 30,
            "minNumberOfExecutedThings": 2,
        }
    ]

    def fail(it: Any) -> None:
        for one in names[:2]:
            it.jobs.data.update_job_execution(
                jobId=job_id, thingName=one, status="FAILED", statusDetails={"reason": "no room"}
            )

    cloud.call(fail)
    done = here("watch", job_id, "--wait", PATIENCE, "--json")
    assert done.status == 1
    assert "CANCELED" in done.failure["text"] and "4 CANCELED, 2 FAILED" in done.failure["text"]
    assert (
        f"{names[0]}: FAILED reason=no room" in done.failure["text"] and "and 1 more" in done.failure["text"]
    )


def test_a_retry_is_what_counts(cloud: CloudThread, here: Run, signed: Path, name: str) -> None:
    attempts = iter(("FAILED", "SUCCEEDED"))
    seen = threading.Event()

    def job(_: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"status": next(attempts)}
        seen.set()

    with Device(cloud, name, register(cloud, name), {"OTA": job}):
        made = here("publish", signed, "--thing", name, "--retries", 2, "--json")
        assert seen.wait(PATIENCE_S)
        done = here("watch", made.value["jobId"], "--wait", PATIENCE, "--json")
    assert done.status == 0, done.err
    last = done.objects[-2]
    assert (last["thing"], last["status"], last["executionNumber"]) == (name, "SUCCEEDED", 2)


def test_not_over_in_time(cloud: CloudThread, here: Run, signed: Path, name: str) -> None:
    register(cloud, name)
    job_id = here("publish", signed, "--thing", name, "--json").value["jobId"]
    done = here("watch", job_id, "--wait", "0.1", "--json")
    assert done.status == 1 and "1 QUEUED" in done.failure["text"]


def test_ctrl_c_leaves_it(
    cloud: CloudThread, here: Run, signed: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(cloud, name)
    job_id = here("publish", signed, "--thing", name, "--json").value["jobId"]

    def turns(self: Account, wait_s: float | None) -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    monkeypatch.setattr(Account, "turns", turns)
    done = here("watch", job_id)
    assert done.status == 130 and f"job {job_id} goes on: 1 QUEUED" in done.err


def test_the_same_file_is_put_there_once(cloud: CloudThread, here: Run, signed: Path, name: str) -> None:
    register(cloud, name)
    key = here("publish", signed, "--thing", name, "--json").value["key"]

    def inode(it: Any) -> int:
        with it.s3.objects.open("releases", key) as found:
            return os.fstat(found.file.fileno()).st_ino

    before = cloud.call(inode)
    assert here("publish", signed, "--thing", name, "--json").status == 0
    assert cloud.call(inode) == before


def test_a_root_that_follows(
    cloud: CloudThread, here: Run, release: Run, root: dict[str, str], name: str
) -> None:
    register(cloud, name)
    made = release("root", "rotate", "--threshold", 1, root["anna"], root["ben"], "--json")
    rotated = Path(made.value["folder"])
    refused = here("publish", rotated, "--thing", name, "--json")
    assert refused.status == 1 and "by root 1 0 of 2 signatures" in refused.failure["text"]
    for key in ("anna", "ben"):
        assert release("sign", rotated, "--key", key).status == 0
    job_id = here("publish", rotated, "--thing", name, "--json").value["jobId"]
    document = json.loads(cloud.call(lambda it: it.jobs.get_job_document(jobId=job_id))["document"])
    assert list(document) == ["action", "root", "signatures"]
    found = folder.load(rotated)
    assert document["root"].encode() == found.text
    assert standing(found.signed, found.text, found.signatures).is_complete  # type: ignore[arg-type]


def test_what_no_device_takes_is_not_published(
    cloud: CloudThread, here: Run, release: Run, built: Path, name: str
) -> None:
    register(cloud, name)

    def refusal(*options: object) -> str:
        done = here("publish", built, "--thing", name, "--json", *options)
        assert done.status == 1
        return done.failure["text"]

    assert "0 of 2 signatures" in refusal()
    release("sign", built, "--key", "anna", "--no-compare")
    assert "1 of 2 signatures" in refusal()
    release("sign", built, "--key", "carla", "--no-compare")
    content = built / "firmware.pack"
    data = content.read_bytes()
    content.write_bytes(data[:-1] + bytes((data[-1] ^ 1,)))
    assert "is not the file of the manifest" in refusal()
    content.write_bytes(data)
    assert "'no-such-thing'" in here("publish", built, "--thing", "no-such-thing").err
    assert "'no-such-group'" in here("publish", built, "--group", "no-such-group").err
    signatures = built / "signatures"
    signatures.write_text("nonsense\n")
    assert "signature 1" in refusal()
    jobs = cloud.call(lambda it: it.jobs.executions.list_job_executions_for_thing(thingName=name))
    assert jobs["executionSummaries"] == []


def test_a_document_that_aws_does_not_take(
    cloud: CloudThread, here: Run, signed: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(cloud, name)
    monkeypatch.setattr(publish, "DOCUMENT_BYTES", 500)
    done = here("publish", signed, "--thing", name, "--json")
    assert done.status == 1 and "AWS IoT takes 500" in done.failure["text"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--thing", "x", "--abort-at", "5"), "--abort-at and --abort-min go together"),
        (("--thing", "x", "--abort-min", "5"), "--abort-at and --abort-min go together"),
        (("--thing", "x", "--region", "eu-west-1"), "go with --aws"),
        (("--thing", "x", "--aws"), "--aws needs --bucket and --role"),
        (("--thing", "x", "--aws", "--bucket", "b"), "--aws needs --bucket and --role"),
        (("--thing", "x", "--group", "y"), "not allowed with"),
        ((), "required"),
        (("--thing", "x", "--retries", "11"), "--retries"),
        (("--thing", "x", "--rollout-per-minute", "1001"), "--rollout-per-minute"),
        (("--thing", "x", "--timeout-min", "0"), "--timeout-min"),
    ],
)
def test_wrong_arguments(release: Run, options: tuple[str, ...], said: str) -> None:
    done = release("publish", "nowhere", *options, "--json")
    assert done.status == 2 and said in done.err


def test_a_job_or_a_cloud_that_is_not_there(here: Run, release: Run, tmp_path: Path) -> None:
    done = here("watch", "no-such-job", "--json")
    assert done.status == 1 and "no job 'no-such-job'" in done.failure["text"]
    done = release("watch", "a-job", "--state", tmp_path / "nothing", "--json")
    assert done.status == 1 and "no cloud" in done.failure["text"]
    assert release("watch", "a-job", "--profile", "p", "--json").status == 2


def test_an_image(cloud: CloudThread, here: Run, release: Run, root: dict[str, str], name: str) -> None:
    Path("new.bin").write_bytes(NEW.image())
    done = release("build", "--expires", "2999-01-01", "--image", "new.bin", "--version", "1.25.1", "--json")
    made = done.value["folder"]
    for key in ("anna", "ben"):
        assert release("sign", made, "--key", key, "--image", "new.bin").status == 0
    seen: list[dict[str, Any]] = []
    with Device(cloud, name, register(cloud, name), {"OTA": updating(cloud, seen)}):
        told = here("publish", made, "--thing", name, "--json")
        assert told.status == 0, told.err
        assert here("watch", told.value["jobId"], "--wait", PATIENCE).status == 0
    assert "\nkind image\n" in seen[0]["manifest"] and told.value["key"].endswith(".bin")
    assert told.value["jobId"].startswith("update-"), "a device goes by that where a document is large"


def test_a_delta_beside_the_image(
    cloud: CloudThread, here: Run, release: Run, root: dict[str, str], name: str, detools: None
) -> None:
    """A device that runs the base gets the image out of it; who has no delta is told to build one."""
    Path("old.bin").write_bytes(OLD.image())
    Path("new.bin").write_bytes(NEW.image())
    image = ("build", "--expires", "2999-01-01", "--image")
    release(*image, "old.bin", "--version", "1.25.0")
    done = release(*image, "new.bin", "--version", "1.25.1", "--base", "old.bin", "--json")
    folder_name = done.value["folder"]
    for key in ("anna", "ben"):
        assert release("sign", folder_name, "--key", key, "--no-compare").status == 0
    made: list[bytes] = []

    def job(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
        assert list(document) == ["action", "manifest", "signatures", "url", "delta"]
        told = document["delta"]
        assert list(told) == ["base", "size", "url"]
        patch = fetched(cloud, told["url"])
        made.append(delta.applied(application(OLD), patch, len(application(NEW))))
        is_right = told["size"] == len(patch) and fetched(cloud, document["url"])[96:] == made[-1]
        yield {"status": "SUCCEEDED" if is_right else "FAILED"}

    with Device(cloud, name, register(cloud, name), {"OTA": job}):
        for base in ("1.25.0", "old.bin", "build/release/lamp-1.25.0-image"):
            done = here("publish", folder_name, "--thing", name, "--delta-from", base, "--json")
            assert done.status == 0, done.err
            watched = here("watch", done.value["jobId"], "--wait", PATIENCE, "--json")
            assert watched.status == 0, watched.err
    assert made == [application(NEW)] * 3
    assert done.value["delta"] == {
        "base": hashlib.sha256(application(OLD)).hexdigest(),
        "size": (Path(folder_name) / delta_name(OLD)).stat().st_size,
    }
    shown = here("publish", folder_name, "--thing", name, "--delta-from", "1.25.0")
    assert re.search(r"^delta +\d+ bytes, from [0-9a-f]{64}$", shown.out, re.MULTILINE)

    def refusal(base: str) -> str:
        done = here("publish", folder_name, "--thing", name, "--delta-from", base, "--json")
        assert done.status == 1
        return done.failure["text"]

    assert "lamp-1.24.0-image: No such file" in refusal("1.24.0")
    assert f"{delta_name(NEW)}: there is none" in refusal("new.bin")
    patch = Path(folder_name) / delta_name(OLD)
    patch.write_bytes(patch.read_bytes()[:-1])
    assert f"{patch.name}: patch: it ends too early" in refusal("old.bin")
