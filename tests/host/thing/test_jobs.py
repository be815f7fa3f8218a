"""`thing NAME job` and `rotate`: a job made, watched, shown and canceled, with a device that does it."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.board.support import on_terminal
from tests.host.thing.conftest import Thing
from tests.host.thing.device import Device, register
from tests.patience import PATIENCE_S, block_until
from tests.peers.cloud_thread import CloudThread


def blink(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for count in range(document["times"]):
        details = {"percent": str(100 * count // document["times"]), "blinked": str(count)}
        yield {"status": "IN_PROGRESS", "statusDetails": details}
    yield {"status": "SUCCEEDED", "statusDetails": {"blinked": str(document["times"])}}


def fail(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"status": "FAILED", "statusDetails": {"error": "OSError: no lamp"}}


def execution(cloud: CloudThread, job_id: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cloud.call(
        lambda it: it.jobs.executions.describe_job_execution(jobId=job_id, thingName=name)
    )["execution"]
    return found


def document(cloud: CloudThread, job_id: str) -> Any:
    return json.loads(cloud.call(lambda it: it.jobs.get_job_document(jobId=job_id))["document"])


def test_a_job_that_succeeds(cloud: CloudThread, thing: Thing) -> None:
    with Device(cloud, "succeeds", register(cloud, "succeeds"), {"blink": blink}):
        done = thing(
            "succeeds", "job", "run", "blink", "times=3", "mode.fast=true", "--timeout-min", "5", "--json"
        )
    assert (done.status, done.err) == (0, "")
    job_id = done.value["jobId"]
    assert re.fullmatch(r"blink-\d{6}-\d{6}-[0-9a-f]{4}", job_id)
    assert (done.value["status"], done.value["details"]) == ("SUCCEEDED", {"blinked": "3"})
    *changes, _ = done.objects
    assert changes[-1]["status"] == "SUCCEEDED" and all(it["thing"] == "succeeds" for it in changes)
    assert document(cloud, job_id) == {"action": "blink", "times": 3, "mode": {"fast": True}}
    job = cloud.call(lambda it: it.jobs.describe_job(jobId=job_id))["job"]
    assert job["timeoutConfig"] == {"inProgressTimeoutInMinutes": 5}


async def test_each_change_is_told_as_it_comes(cloud: CloudThread) -> None:
    """On a terminal, where a bar shows the percentage; the device goes on when what it did was seen."""
    step = threading.Event()

    def steps(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for percent in ("10", "90.5"):
            yield {"status": "IN_PROGRESS", "statusDetails": {"percent": percent, "step": "write"}}
            assert step.wait(PATIENCE_S)
            step.clear()
        yield {"status": "SUCCEEDED"}

    arguments = ("thing", "told", "job", "run", "steps", "--state", str(cloud.folder / "state"))
    with Device(cloud, "told", register(cloud, "told"), {"steps": steps}):
        async with on_terminal(*arguments) as terminal:
            await terminal.shows("Ctrl-C leaves it")
            for percent in ("10", "90.5"):
                await terminal.shows(rf"IN_PROGRESS  {percent} %  step=write")
                await terminal.shows("told works on it +[━╸╺]+")
                step.set()
            await terminal.shows("SUCCEEDED")
            assert await terminal.ended() == 0


def test_a_job_that_fails(cloud: CloudThread, thing: Thing) -> None:
    with Device(cloud, "fails", register(cloud, "fails"), {"fail": fail}):
        done = thing("fails", "job", "run", "fail", "--json")
        assert done.status == 1
        assert "FAILED error=OSError: no lamp" in done.failure["text"] and "logs" in done.failure["remedy"]
        plain = thing("fails", "job", "run", "fail")
    assert plain.status == 1 and "FAILED  error=OSError: no lamp\n" in plain.out
    assert "\x1b" not in plain.out + plain.err  # colours are for terminals


def test_the_document_of_a_file(cloud: CloudThread, thing: Thing, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text('{"action": "other", "url": "https://x", "times": 1}')
    with Device(cloud, "filed", register(cloud, "filed"), {"blink": blink, "other": fail}):
        done = thing("filed", "job", "run", "blink", "times=2", "--document", str(file), "--json")
        assert document(cloud, done.value["jobId"]) == {"action": "blink", "url": "https://x", "times": 2}
        assert thing("filed", "job", "run", "--document", str(file)).status == 1  # it fails, as "other" does
    for content, told in (
        (b"[]", "a list"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (None, "cannot be read"),
    ):
        file.unlink() if content is None else file.write_bytes(content)
        done = thing("filed", "job", "run", "--document", str(file), "--json")
        assert done.status == 1 and told in done.failure["text"]


def test_rotate_is_a_job(cloud: CloudThread, thing: Thing) -> None:
    def rotate(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"status": "SUCCEEDED", "statusDetails": {"certificate": "new"}}

    with Device(cloud, "turns", register(cloud, "turns"), {"rotate-certificate": rotate}):
        done = thing("turns", "rotate", "--json")
    assert done.status == 0 and done.value["details"] == {"certificate": "new"}
    assert document(cloud, done.value["jobId"]) == {"action": "rotate-certificate"}


def test_one_that_nobody_does(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "idle")
    done = thing("idle", "job", "run", "blink", "--wait", "0.5", "--json")
    assert done.status == 1 and "QUEUED after 0.5 s" in done.failure["text"]
    job_id = done.objects[0]["jobId"]
    assert f"thing idle job show {job_id}" in done.failure["remedy"]

    shown = thing("idle", "job", "show", job_id, "--json").value
    assert (shown["status"], shown["document"]) == ("QUEUED", {"action": "blink"})
    text = thing("idle", "job", "show", job_id).out
    assert '{"action": "blink"}' in text and "QUEUED" in text
    assert [it["value"]["jobId"] for it in thing("idle", "job", "list", "--json").objects] == [job_id]

    assert thing("idle", "job", "cancel", job_id, "--json").value == {"jobId": job_id, "status": "CANCELED"}
    assert execution(cloud, job_id, "idle")["status"] == "CANCELED"
    again = thing("idle", "job", "cancel", job_id, "--json")
    assert again.status == 1 and "is CANCELED" in again.failure["text"]
    assert "CANCELED" in thing("idle", "job", "list").out


def begin(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"status": "IN_PROGRESS"}


def test_one_in_progress_is_canceled_by_force(cloud: CloudThread, thing: Thing) -> None:
    with Device(cloud, "begun", register(cloud, "begun"), {"begin": begin}):

        def created(it: Any) -> None:
            target = it.registry.arn("thing/begun")
            it.jobs.create_job(jobId="begin-1", targets=[target], document='{"action": "begin"}')

        cloud.call(created)
        block_until(lambda: in_progress(cloud, "begun"), "the device to begin")
        refused = thing("begun", "job", "cancel", "begin-1", "--json")
        assert refused.status == 1 and "--force" in refused.failure["remedy"]
        assert thing("begun", "job", "cancel", "begin-1", "--force").status == 0
    assert execution(cloud, "begin-1", "begun")["status"] == "CANCELED"


def test_one_that_another_cancels(cloud: CloudThread, thing: Thing) -> None:
    def cancel() -> None:
        block_until(lambda: in_progress(cloud, "another"), "the device to begin")
        options: dict[str, Any] = {"jobId": in_progress(cloud, "another"), "thingName": "another"}
        cloud.call(lambda it: it.jobs.executions.cancel_job_execution(**options, force=True))

    with Device(cloud, "another", register(cloud, "another"), {"begin": begin}):
        canceler = threading.Thread(target=cancel)
        canceler.start()
        done = thing("another", "job", "run", "begin", "--json")
        canceler.join()
    assert done.status == 1 and ": CANCELED" in done.failure["text"]


def in_progress(cloud: CloudThread, name: str) -> str:
    listed = cloud.call(
        lambda it: it.jobs.executions.list_job_executions_for_thing(thingName=name, status="IN_PROGRESS")
    )["executionSummaries"]
    return str(listed[0]["jobId"]) if listed else ""


def test_no_such_job(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "none")
    for action in ("show", "cancel"):
        done = thing("none", "job", action, "blink-1", "--json")
        assert done.status == 1 and "no job 'blink-1'" in done.failure["text"]
        assert "job list" in done.failure["remedy"]
    assert thing("none", "job", "list").err == "none\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("job", "run"), "ACTION or --document"),
        (("job", "run", "blink", "a=1", "a=2"), "given twice"),
        (("job", "run", "blink", "a=b"), "no JSON"),
        (("job", "run", "blink", "action=1"), "action: given twice"),
        (("command", "run", "beep", "action=1"), "action: given twice"),
        (("job", "run", "blink", "--timeout-min", "10081"), "10080"),
    ],
)
def test_wrong_arguments(thing: Thing, arguments: tuple[str, ...], told: str) -> None:
    done = thing("x", *arguments, "--json")
    assert done.status == 2 and told in done.objects[0]["text"]


@pytest.mark.parametrize("answer", ["y", "n", "\x03"])
async def test_ctrl_c_asks(cloud: CloudThread, answer: str) -> None:
    name = {"y": "asked-y", "n": "asked-n", "\x03": "asked-c"}[answer]
    register(cloud, name)
    arguments = ("thing", name, "job", "run", "blink", "--state", str(cloud.folder / "state"))
    async with on_terminal(*arguments) as terminal:
        job_id = (await terminal.shows(r"job (blink-\S+);"))[1]
        await terminal.shows("QUEUED")
        terminal.type("\x03")
        await terminal.shows(r"Cancel it\? \[y/N\] ")
        terminal.type(answer if answer == "\x03" else answer + "\n")
        await terminal.shows("CANCELED" if answer == "y" else f"to cancel it: .* job cancel {job_id} --force")
        assert await terminal.ended() == 130
    assert execution(cloud, job_id, name)["status"] == ("CANCELED" if answer == "y" else "QUEUED")
