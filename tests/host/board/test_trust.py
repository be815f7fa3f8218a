"""What is told of a configuration that is valid, and can never connect."""

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import certifi
import pytest
from documents import claim, own
from iot import config
from iot.crypto import pem

from tests.host import certificates as make
from tests.host.board.support import run_verb
from tools.board import document
from tools.board.trust import AMAZON_ROOTS, Finding, findings

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ATS = "a1b2c3d4e5f6g7-ats.iot.eu-central-1.amazonaws.com"
PAST = datetime(2026, 6, 1, tzinfo=UTC)
FUTURE = datetime(2027, 6, 1, tzinfo=UTC)


def amazons() -> list[str]:
    """The PEM of Amazon's roots, as CPython's world trusts them."""
    blocks = re.findall(
        r"-----BEGIN.*?-----END CERTIFICATE-----\n", Path(certifi.where()).read_text(), re.DOTALL
    )
    return [
        block
        for block in blocks
        if re.search(rb"Amazon Root CA|Starfield Services Root", pem.certificate(block))
    ]


def found(make_document: Any = claim, **aws: object) -> list[Finding]:
    value = make_document()
    value["aws"].update(aws)
    return findings(config.validate(value), NOW)


def told(**aws: object) -> list[tuple[str, bool]]:
    return [(str(finding), finding.is_error) for finding in found(**aws)]


def test_what_works_is_not_spoken_of() -> None:
    assert found() == found(own) == []
    assert len(amazons()) == len(AMAZON_ROOTS)
    for root in amazons():
        assert found(endpoint=ATS, root_ca=root) == []
        assert found(endpoint=ATS, root_ca=make.pem(make.certificate("secp256r1")) + root) == []
    for endpoint in (
        "a1b2c3.ats.iot.cn-north-1.amazonaws.com.cn",
        "data.iot-fips.us-east-1.amazonaws.com",
        ATS.upper(),
    ):
        assert found(endpoint=endpoint, root_ca=amazons()[0]) == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "a1b2c3d4e5f6g7.iot.eu-central-1.amazonaws.com",
        "a1b2c3d4e5f6g7.credentials.iot.eu-central-1.amazonaws.com",
        "iot.eu-central-1.amazonaws.com",
        "a1b2c3d4e5f6g7.jobs.iot.eu-central-1.amazonaws.com",
    ],
)
def test_endpoints_that_are_not_ats(endpoint: str) -> None:
    (finding,) = found(endpoint=endpoint, root_ca=amazons()[0])
    assert finding.place == "aws.endpoint" and "--endpoint-type iot:Data-ATS" in finding.remedy
    assert finding.is_error


def test_a_port_that_wants_alpn() -> None:
    (finding,) = found(endpoint=ATS, root_ca=amazons()[0], port=443)
    assert str(finding).startswith("aws.port: AWS takes certificates at 8883") and finding.is_error


def test_roots_that_are_not_amazon_s() -> None:
    (finding,) = found(endpoint=ATS)
    assert str(finding) == "aws.root_ca: no root of Amazon's, as AWS's endpoints need, but \"Test root\""
    assert finding.is_error and "AmazonRootCA1.pem" in finding.remedy
    fake = make.pem(make.certificate("secp256r1", "Amazon Root CA 1"))
    assert found(endpoint=ATS, root_ca=fake)[0].is_error
    intermediate = make.pem(make.certificate("2048", "Amazon RSA 2048 M01", "Amazon"))
    assert not found(endpoint=ATS, root_ca=intermediate)[0].is_error
    assert found(root_ca=fake) == []  # another's broker


def test_another_cloud_s_certificates_and_endpoint_are_looked_at_as_aws_s() -> None:
    late = make.pem(make.certificate("secp256r1", "Old", end=PAST))
    section = {"endpoint": "localhost", "user": "lamp", "password": "secret", "root_ca": late}
    found = findings(config.validate({"wifi": [{"ssid": "Home"}], "mqtt": section}), NOW)
    assert [(str(finding), finding.is_error) for finding in found] == [
        ('mqtt.root_ca: "Old" expired on 2026-06-01', True),
        ("mqtt.endpoint: localhost is the device itself, unless it is a simulated one", False),
    ]


def test_dates() -> None:
    kind = "secp256r1"
    late = make.pem(make.certificate(kind, "Old", end=PAST))
    early = make.pem(make.certificate(kind, start=FUTURE))
    key = make.key_pem(kind)
    assert told(root_ca=late) == [('aws.root_ca: "Old" expired on 2026-06-01', True)]
    assert told(root_ca=late + claim()["aws"]["root_ca"]) == [
        ('aws.root_ca: "Old" expired on 2026-06-01', False)
    ]
    assert told(claim_certificate=late, claim_key=key) == [
        ("aws.claim_certificate: expired on 2026-06-01", True)
    ]
    assert told(make_document=own, certificate=late, key=key) == [
        ("aws.certificate: expired on 2026-06-01", True)
    ]
    assert told(claim_certificate=early, claim_key=key) == [
        ("aws.claim_certificate: not valid before 2027-06-01 00:00 UTC", False)
    ]


def test_an_ec_key_that_does_not_hold_its_point() -> None:
    """The device lets it through, since mbedTLS counts the point anew; here it is counted as well."""
    number = make.key("secp256r1").private_numbers().private_value.to_bytes(32, "big")
    bare = bytes.fromhex("3031020101" + "0420") + number + bytes.fromhex("a00a06082a8648ce3d030107")
    text = (
        "-----BEGIN EC PRIVATE KEY-----\n"
        + base64.b64encode(bare).decode()
        + "\n-----END EC PRIVATE KEY-----\n"
    )
    good = make.pem(make.certificate("secp256r1"))
    assert found(claim_certificate=good, claim_key=text) == []
    assert told(claim_key=text) == [("aws.claim_key: not the key of the certificate", True)]


async def test_the_verb_tells_it(tmp_path: Path) -> None:
    file = tmp_path / "board.json"
    value = claim()
    value["aws"]["endpoint"] = ATS
    file.write_text(json.dumps(value))
    done = await run_verb("configure", "--check", str(file))
    assert (
        done.status == 1 and "aws.root_ca: no root of Amazon's" in done.err and "amazontrust.com" in done.err
    )
    value["aws"]["root_ca"] = make.pem(make.certificate("2048", "Amazon RSA 2048 M01", "Amazon"))
    file.write_text(json.dumps(value))
    done = await run_verb("configure", "--check", str(file))
    assert done.status == 0 and f"{file}: warning: aws.root_ca: no root of Amazon's" in done.out
    assert document.load(file)["aws"]["root_ca"] == value["aws"]["root_ca"]
