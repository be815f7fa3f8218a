"""`fleet`, on both clouds: what it says and does rests on AWS's calls, not on the local cloud's."""

import argparse
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.peers.boto import CREDENTIALS
from tests.second.aws import Aws
from tools.cloud import fleet as documents
from tools.fleet import changes, claims, tables
from tools.thing.account import Account
from tools.thing.output import Output

Run = Callable[[Account, Output, argparse.Namespace], int]


@pytest.fixture
def account(aws: Aws) -> Account:
    key = {"aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": "none"}
    session = boto3.Session(region_name=CREDENTIALS["AWS_DEFAULT_REGION"], **key)
    return Account(aws.name, session, 0.2, {"endpoint_url": aws.url, "config": Config(proxies={})})


def test_a_thing_from_group_to_retirement(
    aws: Aws,
    account: Account,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    def told(run: Run, **arguments: Any) -> list[Any]:
        capsys.readouterr()
        run(account, Output(True), argparse.Namespace(**arguments))
        return [json.loads(line)["value"] for line in capsys.readouterr().out.splitlines()]

    made = aws.iot.create_keys_and_certificate(setAsActive=True)
    for name in ("fleet-a", "fleet-b"):
        aws.iot.create_thing(thingName=name)
    aws.iot.attach_thing_principal(thingName="fleet-a", principal=made["certificateArn"])
    reported = json.dumps({"state": {"reported": {"lamp": {"version": "1.5.0"}}}})
    account.data.update_thing_shadow(thingName="fleet-a", shadowName="$package", payload=reported)

    told(changes.group, name="hall", change="add", things=["fleet-a", "fleet-b"])
    told(changes.tag, thing="fleet-a", tags=[("place", "hall")])
    first, second = told(tables.list_, group="hall", tag=None, count=10)
    assert (first["thingName"], first["attributes"]) == ("fleet-a", {"place": "hall"})
    assert first["versions"] == {"lamp": "1.5.0"} and first["seen"]["by"] == "shadow $package"
    assert (second["thingName"], second["seen"]) == ("fleet-b", {"at": None, "by": "never"})
    assert [one["thingName"] for one in told(tables.stale, group="hall", tag=None, days=1)] == ["fleet-b"]

    assert told(changes.retire, things=["fleet-a"], yes=True)[0]["certificates"] == [made["certificateId"]]
    about = aws.iot.describe_certificate(certificateId=made["certificateId"])
    assert about["certificateDescription"]["status"] == "INACTIVE"
    with pytest.raises(aws.iot.exceptions.ResourceNotFoundException):
        aws.iot.describe_thing(thingName="fleet-a")

    aws.iot.create_provisioning_template(
        templateName="OfBatches",
        templateBody=documents.template_body(lambda resource: f"arn:aws:iot:us-east-1:1:{resource}"),
        provisioningRoleArn=aws.role,
    )
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    how = {"minutes": False, "source": None, "template": "OfBatches", "out": None, "until": until}
    (batch,) = told(claims.claim, retire=None, batch="march", **how)
    (listed,) = told(claims.claim, retire=None, batch=None, minutes=False)
    assert (listed["certificateId"], listed["status"]) == (batch["certificateId"], "ACTIVE")
    told(claims.claim, retire="march")
    with pytest.raises(aws.iot.exceptions.ResourceNotFoundException):
        aws.iot.describe_certificate(certificateId=batch["certificateId"])
