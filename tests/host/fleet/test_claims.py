"""`fleet claim`: a batch's claim provisions until its day is over, or it is retired; one for minutes."""

import datetime as dt
import json
import stat
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.host.thing.conftest import Done, in_process
from tests.peers import boto
from tests.peers.cloud_thread import CloudThread
from tools.board import document
from tools.cloud import fleet as fleet_documents
from tools.cloud.policy import Policy, is_allowed
from tools.thing.account import Account

TEMPLATE = "FleetTemplate"
DAY = (dt.datetime.now(dt.UTC) + dt.timedelta(days=90)).date()
Claim = Callable[..., Done]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudThread]:
    with CloudThread(tmp_path, rest_port=0) as running:
        running.call(
            lambda it: it.registry.create_provisioning_template(
                templateName=TEMPLATE,
                templateBody=fleet_documents.template_body(it.registry.arn, TEMPLATE),
                provisioningRoleArn="arn:aws:iam::123456789012:role/provisioning",
                enabled=True,
            )
        )
        yield running


@pytest.fixture
def claim(
    cloud: CloudThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Claim:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Account, "local", cache(Account.local))  # boto3 reads its models once

    def run(*arguments: str) -> Done:
        return in_process(
            monkeypatch, capsys, "fleet", "claim", *arguments, "--state", str(cloud.folder / "state")
        )

    return run


def allows(iot: Any, certificate_id: str, when: dt.datetime) -> bool:
    """Whether the policies of a certificate let it provision then."""
    arn = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]["certificateArn"]
    names = [one["policyName"] for one in iot.list_attached_policies(target=arn)["policies"]]
    policies = [Policy(iot.get_policy(policyName=name)["policyDocument"]) for name in names]
    owner = arn.partition(":cert/")[0]
    variables = {"iot:ClientId": "claim-esp32-1", "aws:CurrentTime": when.isoformat()}
    return is_allowed(policies, "iot:Connect", f"{owner}:client/claim-esp32-1", variables)


def test_a_batch(cloud: CloudThread, claim: Claim, tmp_path: Path) -> None:
    iot = boto.client("iot", cloud.call(lambda it: it.rest_url))
    assert claim().out == "no batch has a claim\n"
    arguments = ("--batch", "march", "--until", DAY.isoformat(), "--template", TEMPLATE)
    done = claim(*arguments, "--json").value
    identifier = done["certificateId"]
    assert done["files"] == ["march.claim.pem", "march.claim.key"]
    for file in done["files"]:
        assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600
    assert "PRIVATE KEY" in (tmp_path / "march.claim.key").read_text() and "PRIVATE" not in json.dumps(done)
    last = dt.datetime.combine(DAY, dt.time(23, 59), dt.UTC)
    assert allows(iot, identifier, last) and not allows(iot, identifier, last + dt.timedelta(minutes=2))
    again = claim(*arguments, "--json")
    assert again.status == 1 and "has a claim already" in again.failure["text"]
    (listed,) = claim("--json").objects
    assert listed["value"] == {
        "batch": "march",
        "until": f"{DAY + dt.timedelta(days=1)}T00:00:00Z",
        "certificateId": identifier,
        "status": "ACTIVE",
    }
    assert claim("--retire", "march").out == "march: its claim is no more\n"
    assert claim("--json").objects == [] and iot.list_certificates()["certificates"] == []
    assert claim("--retire", "march").status == 1
    assert claim(*arguments).status == 0


def test_into_a_product(cloud: CloudThread, claim: Claim, tmp_path: Path) -> None:
    claim("--minutes", "--template", TEMPLATE, "--out", "now.json")
    product = {
        "aws": {
            "endpoint": "localhost",
            "template": TEMPLATE,
            "root_ca": cloud.root_ca.read_text(),
            "claim_certificate": (tmp_path / "now.claim.pem").read_text(),
            "claim_key": (tmp_path / "now.claim.key").read_text(),
        }
    }
    document.save_product(tmp_path / "product.json", product)
    assert claim("--batch", "april", "--until", DAY.isoformat(), "--from", "product.json").status == 0
    made = document.load_product(tmp_path / "april.json")["aws"]
    assert made["claim_key"] != product["aws"]["claim_key"] and made["template"] == TEMPLATE
    assert stat.S_IMODE((tmp_path / "april.json").stat().st_mode) == 0o600


def test_what_is_refused_leaves_nothing(cloud: CloudThread, claim: Claim, tmp_path: Path) -> None:
    iot = boto.client("iot", cloud.call(lambda it: it.rest_url))
    for arguments, status in (
        (("--batch", "march"), 2),
        (("--batch", "march", "--until", "2020-01-01"), 2),
        (("--batch", "a b", "--until", DAY.isoformat()), 2),
        (("--batch", "march", "--until", DAY.isoformat()), 1),
        (("--batch", "march", "--until", DAY.isoformat(), "--template", "other"), 1),
        (("--minutes", "--template", "other"), 1),
        (("--batch", "march", "--until", DAY.isoformat(), "--from", "no.json"), 1),
    ):
        assert claim(*arguments).status == status, arguments
    assert iot.list_policies()["policies"] == [] and iot.list_certificates()["certificates"] == []


def test_of_a_claim_whose_key_cannot_be_kept_nothing_stays(cloud: CloudThread, claim: Claim) -> None:
    iot = boto.client("iot", cloud.call(lambda it: it.rest_url))
    done = claim("--batch", "may", "--until", DAY.isoformat(), "--template", TEMPLATE, "--out", "no/may.json")
    assert done.status == 1 and "cannot be written" in done.err
    assert iot.list_policies()["policies"] == [] and iot.list_certificates()["certificates"] == []
