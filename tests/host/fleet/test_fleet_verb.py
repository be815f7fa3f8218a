"""`fleet list|show|stale|group|tag|retire`, with boto3 against the local cloud."""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.host.thing.conftest import Done, in_process
from tests.host.thing.device import Device, register
from tests.patience import block_until
from tests.peers import boto
from tests.peers.cloud_thread import CloudThread
from tools.fleet import survey
from tools.thing.account import Account

Fleet = Callable[..., Done]


@pytest.fixture
def cloud(tmp_path: Any) -> Iterator[CloudThread]:
    with CloudThread(tmp_path, rest_port=0) as running:
        yield running


@pytest.fixture
def fleet(cloud: CloudThread, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    monkeypatch.setattr(Account, "local", cache(Account.local))  # boto3 reads its models once

    def run(action: str, *arguments: str) -> Done:
        state = ("--state", str(cloud.folder / "state"))
        return in_process(monkeypatch, capsys, "fleet", action, *arguments, *state)

    return run


def report(cloud: CloudThread, name: str, shadow: str | None, reported: dict[str, Any]) -> None:
    payload = json.dumps({"state": {"reported": reported}}).encode()
    named = {"shadowName": shadow} if shadow else {}
    cloud.call(lambda it: it.shadows.update_thing_shadow(thingName=name, payload=payload, **named))


def names(done: Done) -> list[str]:
    return [one["value"]["thingName"] for one in done.objects]


def certificate(cloud: CloudThread, name: str) -> str:
    (principal,) = cloud.call(lambda it: it.registry.list_thing_principals(thingName=name))["principals"]
    return str(principal).partition("cert/")[2]


def status(cloud: CloudThread, identifier: str) -> str:
    about = cloud.call(lambda it: it.registry.describe_certificate(certificateId=identifier))
    return str(about["certificateDescription"]["status"])


def test_what_is_known_of_many(cloud: CloudThread, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    here = register(cloud, "here")
    register(cloud, "told")
    register(cloud, "made")
    cloud.call(lambda it: it.registry.create_thing(thingName="bare"))
    report(cloud, "told", survey.PACKAGE, {"lamp": {"version": "1.4.0"}})
    report(cloud, "here", survey.PACKAGE, {"lamp": {"version": "1.5.0"}})
    with Device(cloud, "here", here):
        rows = {line.split()[0]: line for line in fleet("list").out.splitlines()}
        assert re.match(r"here +lamp 1\.5\.0 +connected since \d{4}-", rows["here"])
        assert re.match(r"told +lamp 1\.4\.0 +\d{4}-.* \(shadow \$package\)", rows["told"])
        assert re.match(r"made +- +\d{4}-.* \(certificate\)", rows["made"])
        assert re.match(r"bare +- +never", rows["bare"])
        value = fleet("show", "--json").value
        assert (value["things"], value["connected"]) == (4, 1)
        assert value["versions"] == {"unknown": 2, "lamp 1.5.0": 1, "lamp 1.4.0": 1}
        assert value["seen"] == {"today": 3, "this week": 0, "this month": 0, "before": 1}
    block_until(lambda: "disconnected" in fleet("list").out, "the cloud to see it go")
    assert names(fleet("stale", "--days", "1", "--json")) == ["bare"]

    real = dt.datetime

    class Later(dt.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real.now(tz) + dt.timedelta(days=20)

    monkeypatch.setattr("tools.fleet.tables.dt.datetime", Later)
    report(cloud, "made", None, {"led": True, "list": [1, {"a": 2}]})
    assert names(fleet("stale", "--days", "30", "--json")) == ["bare"]
    late = fleet("stale", "--days", "10")
    first, second, *rest = (line.split()[0] for line in late.out.splitlines())
    assert (first, second, sorted(rest)) == ("name", "bare", ["here", "made", "told"])
    assert "4 of 4 things were not seen for 10 days" in late.err


def test_groups_and_tags(cloud: CloudThread, fleet: Fleet) -> None:
    for name in ("a", "b", "c"):
        register(cloud, name)
    assert fleet("group", "hall", "add", "a", "typo").status == 1
    assert fleet("group", "--json").value == {"groups": []}, "half of it was done"
    assert fleet("group", "hall", "add", "a", "b").out == "hall: add 2\n"
    fleet("group", "hall", "add", "b", "c")
    fleet("group", "hall", "remove", "c")
    assert fleet("group", "hall", "--json").value == {"group": "hall", "things": ["a", "b"]}
    assert fleet("tag", "a", "place=hall", "size=7").out == "place=hall\nsize=7\n"
    changed = fleet("tag", "a", "size=", "floor=1", "--json").value
    assert changed["attributes"] == {"place": "hall", "floor": "1"}
    assert names(fleet("list", "--group", "hall", "--json")) == ["a", "b"]
    assert names(fleet("list", "--tag", "place=hall", "--json")) == ["a"]
    assert names(fleet("list", "--group", "hall", "--tag", "place=hall", "--json")) == ["a"]
    assert "place=hall" in fleet("list", "--count", "1").out
    four = fleet("tag", "a", "x=1", "y=2", "z=3", "--json")
    assert four.status == 1 and "at most 3" in four.failure["text"]
    assert re.search(r"groups +hall", fleet("show", "a").out)
    missing = fleet("group", "kitchen", "--json")
    assert missing.status == 1 and "kitchen" in missing.failure["text"]


def test_a_retired_device_is_shut_out_and_gone(cloud: CloudThread, fleet: Fleet) -> None:
    with Device(cloud, "old", register(cloud, "old")):
        identifier = certificate(cloud, "old")
        unasked = fleet("retire", "old", "--json")
        assert unasked.status == 1 and unasked.failure["remedy"] == "Say --yes."
        assert fleet("retire", "old", "typo", "--yes").status == 1
        assert status(cloud, identifier) == "ACTIVE"
        done = fleet("retire", "old", "--yes", "--json")
        assert done.value == {"thingName": "old", "certificates": [identifier]} and "hook" in done.err
        assert status(cloud, identifier) == "INACTIVE"
        assert [event for event in cloud.events if event.kind == "disconnected"], "its connection lives on"
    assert fleet("retire", "old", "--yes").status == 1


def test_a_certificate_that_others_have_stays_active(cloud: CloudThread, fleet: Fleet) -> None:
    register(cloud, "one")
    identifier = certificate(cloud, "one")
    arn = cloud.call(lambda it: it.registry.arn(f"cert/{identifier}"))
    cloud.call(lambda it: it.registry.create_thing(thingName="two"))
    cloud.call(lambda it: it.registry.attach_thing_principal(thingName="two", principal=arn))
    done = fleet("retire", "one", "--yes", "--json")
    assert done.value["certificates"] == [] and "two" in done.err
    assert status(cloud, identifier) == "ACTIVE" and names(fleet("list", "--json")) == ["two"]


class Cut:
    """boto3's client, whose connection is lost at the n-th change."""

    def __init__(self, client: Any, at: int) -> None:
        self._client, self._at, self.changes = client, at, 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name.split("_", maxsplit=1)[0] not in ("update", "detach", "delete"):
            return call

        def counted(**arguments: Any) -> Any:
            self.changes += 1
            if self.changes == self._at:
                raise EndpointConnectionError(endpoint_url="https://iot")
            return call(**arguments)

        return counted


def test_a_retirement_may_be_cut_off_anywhere(
    cloud: CloudThread, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    iot = boto.client("iot", cloud.call(lambda it: it.rest_url))
    for at in range(1, 5):
        name = f"cut-{at}"
        register(cloud, name)
        identifier = certificate(cloud, name)
        with monkeypatch.context() as cut:
            cut.setitem(vars(Account.local(cloud.folder / "state")), "iot", Cut(iot, at))
            assert fleet("retire", name, "--yes").status == (1 if at < 4 else 0)
        if at > 1:
            assert status(cloud, identifier) == "INACTIVE", "it is half retired, and may still connect"
        if at < 4:
            assert fleet("retire", name, "--yes").status == 0
        assert status(cloud, identifier) == "INACTIVE"
        with pytest.raises(ClientError, match="does not exist"):
            iot.describe_thing(thingName=name)
