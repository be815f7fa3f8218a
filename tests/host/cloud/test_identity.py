"""What policies know of a connection: its certificate, its address, its server's name, its CONNECT."""

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.host.cloud import support as raw
from tests.host.cloud.support import Bench, Peer, bench
from tools.cloud import certificates
from tools.cloud.authorization import Authorization, connection_variables
from tools.cloud.context import Variables, is_known
from tools.cloud.identity import certificate_variables
from tools.cloud.policy import Policy, is_allowed

KEY = ec.generate_private_key(ec.SECP256R1())


def variables(names: list[tuple[x509.ObjectIdentifier, str]], *alternative: x509.GeneralName) -> Variables:
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    builder = certificates._builder(
        subject, certificates.name("An issuer", "DE", "Lamps, Ltd"), KEY.public_key()
    )
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    made = builder.sign(KEY, hashes.SHA256())
    return certificate_variables(made.public_bytes(serialization.Encoding.PEM).decode())


def test_a_certificates_attributes() -> None:
    names = [(NameOID.COMMON_NAME, value) for value in ("lamp", "second", "Administrator")]
    found = variables([*names, (NameOID.STATE_OR_PROVINCE_NAME, "WA"), (NameOID.TITLE, "Dr")])
    subject = "iot:Certificate.Subject."
    assert found[f"{subject}CommonName"] == found[f"{subject}CommonName.0"] == "lamp"
    assert found[f"{subject}CommonName.2"] == "Administrator"
    assert f"{subject}CommonName.3" not in found
    assert found[f"{subject}CommonName.List"] == ("lamp", "second", "Administrator")
    assert (found[f"{subject}State"], found[f"{subject}Title"]) == ("WA", "Dr")
    assert found["iot:Certificate.Issuer.Organization"] == r"Lamps\, Ltd", "as AWS escapes it"
    assert set(found["iot:Certificate.AvailableKeys"]) == set(found) - {"iot:Certificate.AvailableKeys"}
    assert all(is_known(key) for key in found)


def test_alternative_names() -> None:
    found = variables(
        [],
        x509.DNSName("a.example"),
        x509.DNSName("b.example"),
        x509.RFC822Name("a@example.com"),
        x509.UniformResourceIdentifier("urn:lamp"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
        x509.DirectoryName(certificates.name("lamp")),
        x509.RegisteredID(NameOID.TITLE),
    )
    alternative = "iot:Certificate.Subject.AlternativeName."
    assert found[f"{alternative}DNSName.List"] == ("a.example", "b.example")
    assert found[f"{alternative}DNSName.1"] == "b.example"
    assert found[f"{alternative}RFC822Name"] == "a@example.com"
    assert found[f"{alternative}UniformResourceIdentifier"] == "urn:lamp"
    assert found[f"{alternative}IPAddress"] == "192.0.2.1"
    assert found[f"{alternative}DirectoryName"] == r"CN\=lamp"
    assert all(is_known(key) for key in found)


def test_limits_of_attributes() -> None:
    """Five values of an attribute, of 1,024 characters at most; a wildcard in one makes it useless."""
    long = "x" * 1025
    units = [(NameOID.ORGANIZATIONAL_UNIT_NAME, value) for value in ("a", "b", "c", "d", "e", "f")]
    found = variables([(NameOID.COMMON_NAME, "l*p"), *units])
    assert found["iot:Certificate.Subject.OrganizationalUnit.List"] == ("a", "b", "c", "d", "e")
    document = {"Effect": "Allow", "Action": "*", "Resource": "*/${iot:Certificate.Subject.CommonName}"}
    policy = Policy(json.dumps({"Statement": document}))
    for topic in ("l*p", "lamp", "${iot:Certificate.Subject.CommonName}"):
        assert not is_allowed([policy], "iot:Publish", f"arn:x:topic/{topic}", found)
    uris = [x509.UniformResourceIdentifier(f"urn:{long}"), x509.UniformResourceIdentifier("urn:b")]
    found = variables([], *uris)
    name = "iot:Certificate.Subject.AlternativeName.UniformResourceIdentifier"
    assert name not in found and found[f"{name}.1"] == "urn:b" and found[f"{name}.List"] == ("urn:b",)


@pytest.mark.parametrize(
    ("address", "ip"),
    [("192.0.2.1:5000", "192.0.2.1"), ("::1:5000", "::1"), ("[2001:db8::1]:5000", "2001:db8::1")],
)
def test_the_address_of_a_connection(address: str, ip: str) -> None:
    found = connection_variables(address, "")
    assert found == {"aws:SourceIp": ip, "aws:SecureTransport": "true"}
    assert connection_variables(address, "h")["iot:DomainName"] == "h"


def connecting(**condition: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*", "Condition": condition},
    }


WILL = ("my/will", b"gone", 0, False)


@pytest.mark.parametrize(
    ("condition", "options", "expected"),
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {}, True),
        ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, {}, False),
        ({"StringEquals": {"iot:DomainName": "localhost"}}, {}, True),
        ({"StringEquals": {"iot:DomainName": "other"}}, {}, False),
        ({"Bool": {"aws:SecureTransport": True}}, {}, True),
        ({"ForAllValues:StringEquals": {"iot:ConnectAttributes": []}}, {}, True),
        ({"ForAllValues:StringEquals": {"iot:ConnectAttributes": []}}, {"clean": False}, False),
        ({"ForAllValues:StringEquals": {"iot:ConnectAttributes": []}}, {"will": WILL}, False),
        ({"ForAnyValue:StringEquals": {"iot:ConnectAttributes": "LastWill"}}, {"will": WILL}, True),
        ({"ForAnyValue:StringLike": {"iot:ConnectAttributes": "Persistent*"}}, {"clean": False}, True),
        ({"ArnLike": {"iot:LastWillTopic": "arn:aws:iot:*:*:topic/my/*"}}, {"will": WILL}, True),
        ({"ArnLike": {"iot:LastWillTopic": "arn:aws:iot:*:*:topic/your/*"}}, {"will": WILL}, False),
        ({"ArnLike": {"iot:LastWillTopic": "arn:aws:iot:*:*:topic/my/*"}}, {}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, {}, True),
        ({"NumericLessThan": {"aws:EpochTime": "1577836800"}}, {}, False),
    ],
)  # fmt: skip
async def test_conditions_on_a_real_connection(
    cloud: Bench, condition: dict[str, Any], options: dict[str, Any], expected: bool
) -> None:
    peer: Peer = await cloud.open(cloud.cloud.create_identity(connecting(**condition)))
    peer.send(raw.connect_packet("lamp", **options))
    if expected:
        assert (await peer.expect(0x20))[1] == 0
    else:
        assert await peer.closed() == b""
        assert "iot:Connect" in (await cloud.event("refused")).detail


async def test_a_policy_that_ends(tmp_path: Path) -> None:
    """A decision on the time of day is made each time anew."""
    async with bench(tmp_path) as cloud:
        registry = cloud.cloud.registry
        document = connecting(DateLessThan={"aws:CurrentTime": "2026-01-01T00:00:00Z"})
        identifier = registry.create_keys_and_certificate(setAsActive=True)["certificateId"]
        name = registry.ensure_policy(json.dumps(document))
        registry.attach_policy(policyName=name, target=registry.arn(f"cert/{identifier}"))
        now = [1_767_225_599.0]
        authorization = Authorization(registry, identifier, "lamp", clock=lambda: now[0])
        assert authorization.allows("iot:Publish", "topic/a")
        now[0] += 1
        assert not authorization.allows("iot:Publish", "topic/a")


async def test_a_stored_policy_that_would_be_refused_today_allows_nothing(cloud: Bench) -> None:
    identity = cloud.cloud.create_identity(raw.ANYTHING)
    registry = cloud.cloud.registry
    document = json.dumps(connecting(StringMatches={"iot:ClientId": "*"}))
    registry._db.run("UPDATE policies SET document = ?", document)
    peer = await cloud.open(identity)
    peer.send(raw.connect_packet("lamp"))
    assert await peer.closed() == b""
    assert "iot:Connect" in (await cloud.event("refused")).detail
