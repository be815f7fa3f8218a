"""`aws check`: each fault is told in words with a remedy, and what may not be asked is a line of its own."""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from tests.host.thing.conftest import Done, in_process
from tests.host.thing.device import register
from tests.peers import boto
from tests.peers.cloud_thread import CloudThread
from tools.aws import account_checks
from tools.aws.finding import guarded
from tools.board import document
from tools.cloud import fleet
from tools.cloud.ca import certificate_id
from tools.thing.account import Account

NAME = "esp32-240ac4000001"
TEMPLATE = "LocalTemplate"
ROLE = "arn:aws:iam::123456789012:role/provisioning"
AWS = Account.aws
Check = Callable[..., tuple[Done, dict[str, list[dict[str, str]]]]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudThread]:
    with CloudThread(tmp_path_factory.mktemp("cloud"), rest_port=0, hosts=("localhost",)) as running:
        yield running


@pytest.fixture(scope="module")
def iot(cloud: CloudThread) -> Any:
    return boto.client("iot", cloud.call(lambda it: it.rest_url))


@pytest.fixture
def product(cloud: CloudThread, tmp_path: Path) -> Path:
    """What devices are given, with a claim of its own."""
    path = tmp_path / "product.json"
    aws = cloud.call(lambda it: it.device_configuration([], endpoint="localhost"))["aws"]
    document.save_product(path, {"aws": aws})
    return path


@pytest.fixture
def check(
    cloud: CloudThread, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Check:
    settings = boto.environment(tmp_path) | {"AWS_ENDPOINT_URL": cloud.call(lambda it: it.rest_url)}
    for name in ("AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", *boto.CREDENTIALS):
        monkeypatch.setenv(name, settings[name])
    monkeypatch.setattr(Account, "aws", cache(Account.aws))  # boto3 reads its models once

    def run(*arguments: str) -> tuple[Done, dict[str, list[dict[str, str]]]]:
        done = in_process(monkeypatch, capsys, "aws", "check", *arguments, "--json")
        found: dict[str, list[dict[str, str]]] = {}
        for one in done.objects[:-1]:
            assert bool(one["remedy"]) or one["state"] != "fault", one
            found.setdefault(one["what"], []).append(one)
        assert done.objects[-1]["ok"] is (done.status == 0)
        return done, found

    return run


def states(found: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {what: found[what][0]["state"] for what in found}


def policy_of(iot: Any, name: str) -> tuple[str, str]:
    """The certificate of a thing, and its policy."""
    (principal,) = iot.list_thing_principals(thingName=name)["principals"]
    (policy,) = iot.list_attached_policies(target=principal)["policies"]
    return principal.partition("/")[2], policy["policyName"]


def test_an_account_as_it_should_be_but_for_a_hook(check: Check, product: Path) -> None:
    done, found = check("--product", str(product))
    assert {what for what, state in states(found).items() if state == "ok"} == {
        *("clock", "region", "endpoint", "TLS", "template", "template's policy", "claim", "claim's policy"),
    }
    assert {what for what, state in states(found).items() if state == "unknown"} == {
        *("credentials", "product", "stack", "quota"),  # the local cloud is IoT alone, and is on localhost
    }
    assert "any name" in found["hook"][0]["text"] and done.status == 1
    assert done.failure["text"] == "1 of 13 are wrong: hook"
    assert "PRIVATE" not in done.out + done.err


def test_what_is_wrong_with_provisioning(
    check: Check, product: Path, iot: Any, request: pytest.FixtureRequest
) -> None:
    def fault(what: str, *arguments: str) -> str:
        done, found = check("--product", str(product), *arguments)
        assert done.status == 1 and what in done.failure["text"], found
        return next(one["text"] for one in found[what] if one["state"] == "fault")

    request.addfinalizer(lambda: iot.update_provisioning_template(templateName=TEMPLATE, enabled=True))
    iot.update_provisioning_template(templateName=TEMPLATE, enabled=False)
    assert "disabled" in fault("template")
    assert "NoSuch is not there, in us-east-1" in fault("template", "--template", "NoSuch")
    pem = document.load_product(product)["aws"]["claim_certificate"]
    claim = certificate_id(pem)
    arn = iot.describe_certificate(certificateId=claim)["certificateDescription"]["certificateArn"]
    body = iot.describe_provisioning_template(templateName=TEMPLATE)["templateBody"]
    name = "${iot:Connection.Thing.ThingName}"
    iot.create_provisioning_template(
        templateName="Wide",
        templateBody=body.replace(f"telemetry/{name}", "telemetry/*"),
        provisioningRoleArn=ROLE,
    )
    others = fault("template's policy", "--template", "Wide")
    assert f"act for others: publish telemetry/{NAME}0, publish telemetry/another" in others
    iot.create_policy(policyName="wide", policyDocument=json.dumps(wide(arn)))
    iot.attach_policy(policyName="wide", target=arn)
    assert f"lets anybody connect as {NAME}, publish telemetry/{NAME}" in fault("claim's policy")
    for one in iot.list_attached_policies(target=arn)["policies"]:
        iot.detach_policy(policyName=one["policyName"], target=arn)
    assert "there is none" in fault("claim's policy")
    iot.update_certificate(certificateId=claim, newStatus="INACTIVE")
    assert "is INACTIVE" in fault("claim")
    iot.delete_certificate(certificateId=claim)
    assert "none of this account's" in fault("claim")


def wide(arn: str) -> dict[str, Any]:
    owner = arn.partition(":cert/")[0]
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": f"{owner}:*"}],
    }


def test_what_is_wrong_with_a_thing(check: Check, cloud: CloudThread, iot: Any) -> None:
    register(cloud, NAME)

    def looked() -> dict[str, list[dict[str, str]]]:
        return check(NAME, "--template", TEMPLATE)[1]

    identifier, policy = policy_of(iot, NAME)
    arn = iot.describe_certificate(certificateId=identifier)["certificateDescription"]["certificateArn"]
    assert f"act for others: connect as {NAME}0" in looked()["thing's policy"][-1]["text"]
    iot.detach_policy(policyName=policy, target=arn)
    assert "has none: AWS hangs up" in looked()["thing's policy"][-1]["text"]
    own = json.loads(fleet.template_body(lambda one: f"{arn.partition(':cert/')[0]}:{one}", TEMPLATE))
    (document_,) = (
        one["Properties"]["PolicyDocument"]
        for one in own["Resources"].values()
        if one["Type"].endswith("Policy")
    )
    iot.create_policy(policyName="own", policyDocument=document_)
    iot.attach_policy(policyName="own", target=arn)
    right = looked()
    assert right["thing's policy"][-1]["state"] == "ok" and "by itself" in right["thing's policy"][-1]["text"]
    assert "no type" in right["thing"][0]["text"] and "active until 20" in right["certificate"][0]["text"]
    lacking = json.loads(document_)
    lacking["Statement"] = [one for one in lacking["Statement"] if one["Action"] != "iot:Receive"]
    iot.create_policy_version(policyName="own", policyDocument=json.dumps(lacking), setAsDefault=True)
    assert f"needs what it does not allow: receive cmd/{NAME}" in looked()["thing's policy"][-1]["text"]
    iot.create_thing(thingName="second")
    iot.attach_thing_principal(thingName="second", principal=arn)
    assert "is that of second, too" in looked()["certificate"][1]["text"]
    iot.update_certificate(certificateId=identifier, newStatus="INACTIVE")
    assert "is INACTIVE: AWS hangs up" in looked()["certificate"][0]["text"]
    iot.detach_thing_principal(thingName=NAME, principal=arn)
    assert "none is attached" in looked()["certificate"][0]["text"]
    assert "no thing is called" in check("nobody")[1]["thing"][0]["text"]


def test_a_batchs_claim_from_its_making_to_its_end(
    check: Check, product: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(product.parent)

    def claim(*arguments: str) -> Done:
        return in_process(monkeypatch, capsys, "aws", "claim", *arguments)

    day = (dt.datetime.now(dt.UTC) + dt.timedelta(days=9)).date().isoformat()
    assert claim("--batch", "soon", "--until", day, "--from", "product.json").status == 0
    assert "soon" in claim().out and claim("--batch", "soon").status == 2
    ends = check("--product", "soon.json")[1]
    assert re.search(r"is active until \S+, for \d days", ends["claim"][0]["text"])
    assert (ends["claim"][0]["state"], ends["claim's policy"][0]["state"]) == ("fault", "ok")
    assert "of batch soon: ACTIVE" in check()[1]["claim"][0]["text"]
    assert claim("--retire", "soon").status == 0
    assert check()[1]["claim"][0]["text"] == "no batch has one"
    assert "none of this account's" in check("--product", "soon.json")[1]["claim"][0]["text"]


def test_a_clock_that_is_an_hour_off(check: Check) -> None:
    account = Account.aws(None, None)
    early = dt.timedelta(hours=1, seconds=5)
    (one,) = account_checks.clock(account, lambda: dt.datetime.now(dt.UTC) - early)
    assert one.state == "fault" and "1:00:0" in one.text and "behind AWS's" in one.text


def test_another_region_another_name_another_root(check: Check, cloud: CloudThread, product: Path) -> None:
    account = Account.aws(None, None)
    aws = document.load_product(product)["aws"]

    def found(**others: object) -> dict[str, Any]:
        return {one.what: one for one in account_checks.endpoint(account, aws | others)}

    far = found(endpoint="a-ats.iot.eu-west-1.amazonaws.com.invalid")
    assert "asked is us-east-1, but the product's endpoint is in eu-west-1" in far["region"].text
    assert "the account's is localhost" in far["endpoint"].text and "not reached" in far["TLS"].text
    assert "IP address mismatch" in found(endpoint="127.0.0.1")["TLS"].text
    stranger = found(root_ca=aws["claim_certificate"])["TLS"]
    assert stranger.state == "fault" and "AmazonRootCA1.pem" in stranger.remedy
    assert found()["TLS"].state == "ok"


@pytest.mark.parametrize(
    ("code", "state"), [("AccessDeniedException", "unknown"), ("InternalFailureException", "fault")]
)
def test_what_may_not_be_asked_is_a_line(code: str, state: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "no"}}, "ListServiceQuotas")
    account = Mock(**{"client.return_value.get_paginator.side_effect": error})
    (one,) = guarded("quota", "AWS", "servicequotas", account_checks.quotas(account))
    assert (one.what, one.state) == ("quota", state) and "ListServiceQuotas" in one.text
    assert one.remedy


def test_quotas_that_a_fleet_meets(check: Check) -> None:
    page = {
        "Quotas": [
            {"QuotaName": "Connect requests per second per account", "Value": 500.0},
            {"QuotaName": "Rules", "Value": 1.0},
        ]
    }
    account = Mock(**{"client.return_value.get_paginator.return_value.paginate.return_value": [page]})
    (one,) = account_checks.quotas(account)
    assert one.text == "Connect requests per second per account: 500"


def test_a_product_that_cannot_be_read(check: Check, tmp_path: Path) -> None:
    (tmp_path / "product.json").write_text("{")
    done, found = check("--product", str(tmp_path / "product.json"))
    assert "not JSON" in found["product"][0]["text"] and done.status == 1
    assert states(found)["region"] == "ok"  # it goes on


def test_no_credentials_end_it(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(Account, "aws", AWS)
    _, found = check()
    assert list(found) == ["credentials"] and "no credentials" in found["credentials"][0]["text"]
