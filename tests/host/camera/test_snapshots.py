"""Snapshots asked for, done, late, twice and by the wrong one: what went wrong for others."""

import json
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from tests.host.camera.conftest import PICTURE, Site
from tests.patience import block_until, until
from tests.second.aws import Aws
from tests.second.client import connected
from tools.cloud.ca import certificate_id
from tools.examples.camera.local import OUTCOME_SQL, PRESENCE_SQL
from tools.examples.camera.service import ids
from tools.examples.camera.service.shadows import Conflict

TEMPLATE = Path(__file__).resolve().parents[3] / "tools/examples/camera/template.yaml"
ONLINE = b'{"online": true}'


def aws(site: Site) -> Aws:
    """For the raw client, which wants a port and a root."""
    return Aws("local", "", site.cloud.port, site.cloud.root_ca.read_text(), "p256", "")


def done(site: Site, thing: str, snapshot: str) -> None:
    """A device has reported, and the rule's function has run."""
    site.report(thing, id=snapshot, outcome="done", bytes=1, status=200)


async def test_who_is_online_gets_a_url_for_its_own_picture(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And who says that it is another gets none, for itself or for that one, whatever its policy allows."""
    presence, answers = site.service.presence, []
    monkeypatch.setattr(site.service, "presence", lambda event: answers.append((event, presence(event))))
    identities = {name: site.thing(name) for name in ("lamp", "door")}
    principal = certificate_id(identities["lamp"][0])
    async with connected(aws(site), identities["lamp"], tmp_path, "lamp") as client:
        await client.publish("telemetry/door/online", ONLINE)
        await client.publish("telemetry/lamp/online", b'{"online": true, "thing": "door", "client": "door"}')
    async with connected(aws(site), identities["lamp"], tmp_path, "door") as client:  # whose name is free
        await client.publish("telemetry/door/online", ONLINE)
        for topic, payload in (("lamp/online", b'{"online": 1}'), ("lamp/online", b"no"), ("lamp/x", ONLINE)):
            await client.publish(f"telemetry/{topic}", payload)
    await until(lambda: len(answers) == 3, "the rule's function has run three times")
    heard = [(one["thing"], one["client"], one["principal"], "id" in answer) for one, answer in answers]
    assert sorted(heard) == [
        ("door", "door", principal, False),
        ("door", "lamp", principal, False),
        ("lamp", "lamp", principal, True),
    ]
    told = site.desired("lamp")
    assert told["headers"] == {"Content-Type": "image/jpeg"} and f"/lamp/{told['id']}.jpg?" in told["url"]
    assert 1 <= len(told["id"]) <= 64 and ids.is_for(site.snapshots.settings.token, "lamp", told["id"])
    site.upload(told, PICTURE)
    found = site.snapshots.pictures.find("lamp", told["id"])
    assert found and found.data == PICTURE
    with pytest.raises(urllib.error.HTTPError, match="403"):  # not for anything else
        site.upload({**told, "url": told["url"].replace("/lamp/", "/door/")}, PICTURE)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        site.upload({**told, "headers": {"Content-Type": "text/html"}}, PICTURE)
    assert dict(site.snapshots.pictures.cameras()).keys() & {"lamp", "door"} == {"lamp"}


def test_an_event_of_the_rule_is_believed_for_its_certificate_alone(site: Site) -> None:
    certificate, _ = site.thing("gate")
    right = {"thing": "gate", "client": "gate", "principal": certificate_id(certificate)}
    for wrong in ({"principal": "0" * 64}, {"principal": ""}, {"client": "lamp"}, {"thing": "../lamp"}):
        assert "ignored" in site.service.presence(right | wrong)
    assert "ignored" in site.service.presence({"thing": "gate"})
    assert "gate" not in dict(site.snapshots.pictures.cameras())
    assert site.service.presence(right) == {"id": site.desired("gate")["id"]}


def test_what_is_desired_goes_out_as_json_once(site: Site) -> None:
    """A text that is JSON already would become a string in JSON, which no device takes for a snapshot."""
    site.snapshots.ask("plain")
    document = json.loads(
        site.cloud.call(lambda it: it.shadows.get_thing_shadow(thingName="plain"))["payload"]
    )
    assert isinstance(document["state"]["desired"]["snapshot"]["headers"], dict)
    for wrong in (json.dumps({"snapshot": 1}), b"{}", [("snapshot", 1)]):
        with pytest.raises(TypeError, match="dictionary"):
            site.snapshots._shadows.desire("plain", wrong)  # type: ignore[arg-type]


def test_one_devices_answer_never_reaches_another(site: Site) -> None:
    mine, theirs = site.snapshots.ask("cat"), site.snapshots.ask("dog")
    for stranger in (theirs, "no id", "", None, 7, ids.make("another secret", "cat", 0)):
        assert site.service.outcome({"thing": "cat", "snapshot": {"id": stranger, "outcome": "done"}}) == {
            "ours": False
        }
    assert site.service.outcome({"thing": "cat", "snapshot": "text"}) == {"ours": False}
    assert (site.desired("cat")["id"], site.desired("dog")["id"]) == (mine, theirs)
    site.report("cat", id=theirs, outcome="done")
    assert site.snapshots.look("cat")["snapshot"]["state"] == "waiting"
    done(site, "dog", theirs)
    block_until(lambda: site.desired("dog") is None, "what was desired is cleared by the rule")
    assert site.desired("cat")["id"] == mine


def test_a_delta_that_comes_twice_is_the_same_snapshot(site: Site) -> None:
    first = site.snapshots.ask("twice")
    desired = site.desired("twice")
    assert site.snapshots.ask("twice") == first
    assert site.desired("twice") == desired, "the URL is another"
    done(site, "twice", first)
    block_until(lambda: site.desired("twice") is None, "what was desired is cleared")
    assert site.snapshots.look("twice")["snapshot"] == {
        "id": first,
        "state": "done",
        "made_ms": ids.made_ms(first),
    }
    assert site.snapshots.ask("twice") != first


def test_one_that_never_comes_is_late_and_asked_for_anew(site: Site) -> None:
    """By a new URL; what comes of the old one then clears nothing, and a picture tells more than a report."""
    first = site.snapshots.ask("late")
    old = site.desired("late")
    assert site.snapshots.look("late")["snapshot"]["state"] == "waiting"
    site.ahead_s = site.snapshots.settings.url_s * 0.6
    second = site.snapshots.ask("late")
    assert second != first and site.desired("late")["url"] != old["url"]
    site.ahead_s = site.snapshots.settings.url_s * 2
    assert site.snapshots.look("late")["snapshot"]["state"] == "late"
    third = site.snapshots.ask("late")
    done(site, "late", first)  # now, and of the first: it clears nothing that is newer
    assert site.service.outcome({"thing": "late", "snapshot": {"id": first}}) == {"ours": True}
    assert site.desired("late")["id"] == third
    site.upload(site.desired("late"), PICTURE)
    assert [one["id"] for one in site.snapshots.look("late")["pictures"]] == [third]
    assert site.snapshots.look("late")["snapshot"]["state"] == "done", "its report has not come yet"
    assert site.snapshots.ask("late") != third, "a picture that is there is waited for"


def test_a_url_ends_when_it_says(site: Site) -> None:
    url = site.snapshots.pictures.upload_url("ended", "x", 1)
    clock = site.cloud.call(lambda it: it.s3._signer._clock)
    try:
        site.cloud.call(lambda it: setattr(it.s3._signer, "_clock", lambda: clock() + 2))
        with pytest.raises(urllib.error.HTTPError, match="403"):
            site.upload({"url": url, "headers": {"Content-Type": "image/jpeg"}}, PICTURE)
    finally:
        site.cloud.call(lambda it: setattr(it.s3._signer, "_clock", clock))


def test_a_failure_is_told_in_the_devices_words(site: Site) -> None:
    snapshot = site.snapshots.ask("fails")
    site.report("fails", id=snapshot, outcome="failed", reason="x" * 1000)
    block_until(lambda: site.desired("fails") is None, "what was desired is cleared")
    told = site.snapshots.look("fails")["snapshot"]
    assert (told["state"], told["reason"]) == ("failed", "x" * 200)


class Busy:
    """A shadow that somebody else changes just before we do."""

    def __init__(self, site: Site, thing: str, times: int) -> None:
        self._shadows, self._site, self._thing, self._times = site.snapshots._shadows, site, thing, times

    def get(self, thing: str) -> dict[str, Any]:
        found = self._shadows.get(thing)
        if self._times:
            self._times -= 1
            self._site.write(self._thing, {"desired": {"other": self._times}})
        return found

    def desire(self, *arguments: Any) -> None:
        self._shadows.desire(*arguments)


@pytest.mark.parametrize("times", [3, 99])
def test_a_shadow_that_changes_meanwhile_is_looked_at_again(
    site: Site, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing = f"busy{times}"
    snapshot = site.snapshots.ask(thing)
    monkeypatch.setattr(site.snapshots, "_shadows", Busy(site, thing, times))
    if times > 5:
        with pytest.raises(Conflict):
            site.snapshots.settle(thing, {"id": snapshot})
    else:
        assert site.snapshots.settle(thing, {"id": snapshot})
        assert site.state(thing)["desired"] == {"other": 0}


def test_what_a_device_writes_in_its_own_shadow_is_no_snapshot_of_ours(site: Site) -> None:
    for strange in (
        {"id": "x" * 64},
        {"id": 3},
        "text",
        {"id": ids.make("no", "odd", 1), "url": "https://x"},
    ):
        site.write("odd", {"desired": {"snapshot": strange}, "reported": {"snapshot": strange}})
        assert site.snapshots.look("odd")["snapshot"] == {"state": "none"}


def test_the_rules_here_are_those_of_the_template() -> None:
    folded = " ".join(TEMPLATE.read_text().split())
    for sql in (PRESENCE_SQL, OUTCOME_SQL):
        assert f"Sql: >- {sql} Actions:" in folded
