"""What the live page asks of a cloud and does to one, on an AWS that others wrote."""

from pathlib import Path

import pytest

from tests.peers import boto
from tests.second.aws import Aws
from tools.dashboard import actions
from tools.dashboard.guard import RefusedError
from tools.thing.account import Account

NAME = "page-lamp"


@pytest.fixture
def account(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """As `dashboard --aws` has it; the environment leads to this cloud."""
    for name, value in (boto.environment(tmp_path) | {"AWS_ENDPOINT_URL": aws.url}).items():
        monkeypatch.setenv(name, value)
    made = Account.aws(None, None)
    made.iot.create_thing(thingName=NAME)
    return made


def test_things_shadows_and_jobs(account: Account) -> None:
    assert NAME in [it["thingName"] for it in actions.things(account, 1000)]
    assert actions.certificates(account, NAME) == []
    empty = actions.get_shadow(account, NAME, "")
    assert empty == {"version": None, "desired": {}, "reported": {}, "delta": {}}
    made = actions.put_shadow(account, NAME, "", {"led": True, "fan": {"speed": 2, "on": True}}, None)
    assert made["desired"] == {"led": True, "fan": {"speed": 2, "on": True}}
    changed = actions.put_shadow(account, NAME, "", {"fan": {"speed": 3}}, made["version"])
    assert changed["desired"] == {"fan": {"speed": 3}} and changed["version"] > made["version"]
    with pytest.raises(RefusedError) as refused:
        actions.put_shadow(account, NAME, "", {}, made["version"])
    assert refused.value.status == 409
    job = actions.make_job(account, NAME, {"action": "blink", "times": 3})["job"]
    assert actions.has_work(account, NAME)
    (shown,) = actions.JobList().of(account, NAME)
    assert (shown["job"], shown["status"]) == (job, "QUEUED")
    assert shown["document"] == {"action": "blink", "times": 3}
    assert isinstance(shown["queued"], int)
    actions.cancel_job(account, NAME, job, force=False)
    assert [it["status"] for it in actions.JobList().of(account, NAME)] in (["CANCELED"], [])
    assert not actions.has_work(account, NAME)
