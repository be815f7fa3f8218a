"""boto3's `iot` client drives the local cloud: each operation that is there."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.peers import boto
from tests.peers.cloud_thread import ANYTHING, CloudThread
from tools.cloud import fleet

DOCUMENT = json.dumps(ANYTHING)
ROLE = "arn:aws:iam::123456789012:role/provisioning"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudThread]:
    with CloudThread(tmp_path_factory.mktemp("cloud"), rest_port=0) as running:
        yield running


@pytest.fixture(scope="module")
def iot(cloud: CloudThread) -> Any:
    return boto.client("iot", cloud.call(lambda it: it.rest_url))


def pages(iot: Any, operation: str, key: str, **arguments: Any) -> list[list[Any]]:
    """What boto3's paginator brings, page by page, two entries each."""
    paginator = iot.get_paginator(operation)
    return [page[key] for page in paginator.paginate(PaginationConfig={"PageSize": 2}, **arguments)]


def test_endpoints_and_events(cloud: CloudThread, iot: Any) -> None:
    assert iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"] == f"localhost:{cloud.port}"
    url = cloud.call(lambda it: it.rest_url)
    assert iot.describe_endpoint(endpointType="iot:Jobs")["endpointAddress"] == url.removeprefix("http://")
    with pytest.raises(iot.exceptions.InvalidRequestException, match="CredentialProvider"):
        iot.describe_endpoint(endpointType="iot:CredentialProvider")
    events = iot.describe_event_configurations()["eventConfigurations"]
    assert events["JOB"] == {"Enabled": True} and events["THING"] == {"Enabled": False}


def test_things(iot: Any) -> None:
    iot.create_thing_type(thingTypeName="Lamp", thingTypeProperties={"thingTypeDescription": "shines"})
    iot.create_billing_group(billingGroupName="Customer")
    attributes = {"attributes": {"place": "hall"}}
    made = iot.create_thing(
        thingName="lamp", thingTypeName="Lamp", attributePayload=attributes, billingGroupName="Customer"
    )
    assert made["thingArn"].endswith(":thing/lamp")
    thing = iot.describe_thing(thingName="lamp")
    assert (thing["thingTypeName"], thing["billingGroupName"]) == ("Lamp", "Customer")
    assert (thing["attributes"], thing["version"], thing["thingId"]) == (
        {"place": "hall"},
        1,
        made["thingId"],
    )
    merge = {"attributes": {"size": "7"}, "merge": True}
    iot.update_thing(thingName="lamp", attributePayload=merge, expectedVersion=1)
    with pytest.raises(iot.exceptions.VersionConflictException):
        iot.update_thing(thingName="lamp", attributePayload=merge, expectedVersion=1)
    assert iot.describe_thing(thingName="lamp")["attributes"] == {"place": "hall", "size": "7"}
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException) as caught:
        iot.create_thing(thingName="lamp")
    assert caught.value.response["resourceArn"] == made["thingArn"]
    found = iot.list_things(attributeName="size", attributeValue="7", thingTypeName="Lamp")["things"]
    assert [one["thingName"] for one in found] == ["lamp"]
    iot.delete_thing(thingName="lamp", expectedVersion=2)
    iot.delete_thing(thingName="lamp")
    with pytest.raises(iot.exceptions.ResourceNotFoundException, match="thing lamp does not exist"):
        iot.describe_thing(thingName="lamp")


def test_things_come_in_pages(iot: Any) -> None:
    names = [f"paged-{i:02}" for i in range(30)]
    for name in names:
        iot.create_thing(thingName=name, attributePayload={"attributes": {"paged": "yes"}})
    first = iot.list_things(attributeName="paged")
    assert len(first["things"]) == 25
    assert "nextToken" in first  # as a client sees that reads one page alone
    found = pages(iot, "list_things", "things", attributeName="paged")
    assert [[thing["thingName"] for thing in page] for page in found] == [
        names[i : i + 2] for i in range(0, 30, 2)
    ]
    with pytest.raises(iot.exceptions.InvalidRequestException, match="token"):
        iot.list_things(nextToken="nonsense")


def test_types(iot: Any) -> None:
    iot.create_thing_type(thingTypeName="Door")
    iot.update_thing_type(thingTypeName="Door", thingTypeProperties={"thingTypeDescription": "shuts"})
    about = iot.describe_thing_type(thingTypeName="Door")
    assert about["thingTypeProperties"]["thingTypeDescription"] == "shuts"
    assert abs(about["thingTypeMetadata"]["creationDate"] - dt.datetime.now(dt.UTC)) < dt.timedelta(hours=1)
    iot.deprecate_thing_type(thingTypeName="Door")
    assert iot.describe_thing_type(thingTypeName="Door")["thingTypeMetadata"]["deprecated"]
    with pytest.raises(iot.exceptions.InvalidRequestException, match="300 s"):
        iot.delete_thing_type(thingTypeName="Door")
    listed = [kind["thingTypeName"] for page in pages(iot, "list_thing_types", "thingTypes") for kind in page]
    assert "Door" in listed


def test_groups(iot: Any) -> None:
    iot.create_thing_group(thingGroupName="house")
    made = iot.create_thing_group(
        thingGroupName="hall",
        parentGroupName="house",
        thingGroupProperties={"attributePayload": {"attributes": {"floor": "1"}}},
    )
    iot.create_thing(thingName="bell")
    iot.create_thing(thingName="door")
    iot.add_thing_to_thing_group(thingGroupArn=made["thingGroupArn"], thingName="bell")
    iot.update_thing_groups_for_thing(thingName="door", thingGroupsToAdd=["hall"])
    assert iot.list_things_in_thing_group(thingGroupName="house")["things"] == []
    found = pages(iot, "list_things_in_thing_group", "things", thingGroupName="house", recursive=True)
    assert found == [["bell", "door"]]
    groups = iot.list_thing_groups_for_thing(thingName="bell")["thingGroups"]
    assert groups == [{"groupName": "hall", "groupArn": made["thingGroupArn"]}]
    iot.remove_thing_from_thing_group(thingGroupName="hall", thingName="bell")
    about = iot.describe_thing_group(thingGroupName="hall")
    assert about["thingGroupMetadata"]["rootToParentThingGroups"][0]["groupName"] == "house"
    updated = iot.update_thing_group(
        thingGroupName="hall", thingGroupProperties={"thingGroupDescription": "the hall"}, expectedVersion=1
    )
    assert updated["version"] == 2
    assert [one["groupName"] for one in iot.list_thing_groups(parentGroup="house")["thingGroups"]] == ["hall"]
    iot.delete_thing_group(thingGroupName="hall")
    iot.delete_thing_group(thingGroupName="house")


def test_billing_groups(iot: Any) -> None:
    made = iot.create_billing_group(billingGroupName="Payer")
    iot.create_thing(thingName="meter")
    iot.add_thing_to_billing_group(billingGroupName="Payer", thingName="meter")
    assert iot.list_things_in_billing_group(billingGroupName="Payer")["things"] == ["meter"]
    about = iot.describe_billing_group(billingGroupName="Payer")
    assert (about["billingGroupArn"], about["version"]) == (made["billingGroupArn"], 1)
    listed = iot.list_billing_groups(namePrefixFilter="Pay")["billingGroups"]
    assert listed == [{"groupName": "Payer", "groupArn": made["billingGroupArn"]}]
    iot.remove_thing_from_billing_group(billingGroupName="Payer", thingName="meter")
    iot.delete_billing_group(billingGroupName="Payer")


def signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def test_certificates_and_principals(iot: Any) -> None:
    made = iot.create_keys_and_certificate(setAsActive=True)
    assert "PRIVATE KEY" in made["keyPair"]["PrivateKey"]
    other = iot.create_certificate_from_csr(certificateSigningRequest=signing_request())
    with pytest.raises(Exception, match="CertificateValidationException"):
        iot.create_certificate_from_csr(certificateSigningRequest="no request")
    about = iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
    assert (about["status"], about["ownedBy"]) == ("ACTIVE", "123456789012")
    assert about["validity"]["notBefore"] < dt.datetime.now(dt.UTC) < about["validity"]["notAfter"]
    listed = [one for page in pages(iot, "list_certificates", "certificates") for one in page]
    assert [one["certificateId"] for one in listed][-2:] == [made["certificateId"], other["certificateId"]]
    newest = iot.list_certificates(pageSize=1, ascendingOrder=False)["certificates"]
    assert newest[0]["certificateId"] == other["certificateId"]

    iot.create_thing(thingName="holder")
    for certificate in (made, other):
        iot.attach_thing_principal(thingName="holder", principal=certificate["certificateArn"])
    arns = sorted((made["certificateArn"], other["certificateArn"]))
    assert iot.list_thing_principals(thingName="holder")["principals"] == arns
    assert iot.list_principal_things(principal=arns[0])["things"] == ["holder"]
    with pytest.raises(iot.exceptions.InvalidRequestException, match="still attached"):
        iot.delete_thing(thingName="holder")
    with pytest.raises(iot.exceptions.CertificateStateException):
        iot.delete_certificate(certificateId=made["certificateId"])
    for certificate in (made, other):
        iot.detach_thing_principal(thingName="holder", principal=certificate["certificateArn"])
        iot.update_certificate(certificateId=certificate["certificateId"], newStatus="REVOKED")
        iot.delete_certificate(certificateId=certificate["certificateId"])


def test_policies(iot: Any) -> None:
    made = iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    assert made["policyVersionId"] == "1"
    with pytest.raises(iot.exceptions.MalformedPolicyException):
        iot.create_policy(policyName="q", policyDocument="{}")
    for _ in range(4):
        newest = iot.create_policy_version(policyName="p", policyDocument=DOCUMENT, setAsDefault=True)
    assert (newest["policyVersionId"], newest["isDefaultVersion"]) == ("5", True)
    with pytest.raises(iot.exceptions.VersionsLimitExceededException):
        iot.create_policy_version(policyName="p", policyDocument=DOCUMENT)
    iot.set_default_policy_version(policyName="p", policyVersionId="1")
    assert iot.get_policy(policyName="p")["defaultVersionId"] == "1"
    assert iot.get_policy_version(policyName="p", policyVersionId="5")["isDefaultVersion"] is False
    versions = [one["versionId"] for one in iot.list_policy_versions(policyName="p")["policyVersions"]]
    assert versions == ["5", "4", "3", "2", "1"]
    certificate = iot.create_keys_and_certificate()
    arn = certificate["certificateArn"]
    iot.attach_policy(policyName="p", target=arn)
    assert [one["policyName"] for one in iot.list_attached_policies(target=arn)["policies"]] == ["p"]
    assert pages(iot, "list_targets_for_policy", "targets", policyName="p") == [[arn]]
    effective = iot.get_effective_policies(principal=arn)["effectivePolicies"]
    assert [one["policyDocument"] for one in effective] == [DOCUMENT]
    with pytest.raises(iot.exceptions.DeleteConflictException):
        iot.delete_certificate(certificateId=certificate["certificateId"])
    with pytest.raises(iot.exceptions.DeleteConflictException):
        iot.delete_policy(policyName="p")
    iot.detach_policy(policyName="p", target=arn)
    iot.attach_policy(policyName="p", target=arn)
    iot.delete_certificate(certificateId=certificate["certificateId"], forceDelete=True)
    for version in versions[:-1]:
        iot.delete_policy_version(policyName="p", policyVersionId=version)
    iot.delete_policy(policyName="p")
    assert "p" not in [one["policyName"] for page in pages(iot, "list_policies", "policies") for one in page]


def test_templates_and_claims(cloud: CloudThread, iot: Any) -> None:
    body = cloud.call(lambda it: fleet.template_body(it.registry.arn))
    made = iot.create_provisioning_template(
        templateName="t", templateBody=body, provisioningRoleArn=ROLE, description="d"
    )
    assert made["defaultVersionId"] == 1
    iot.update_provisioning_template(templateName="t", enabled=True)
    about = iot.describe_provisioning_template(templateName="t")
    assert (about["enabled"], about["templateBody"], about["type"]) == (True, body, "FLEET_PROVISIONING")
    version = iot.create_provisioning_template_version(templateName="t", templateBody=body, setAsDefault=True)
    assert (version["versionId"], version["isDefaultVersion"]) == (2, True)
    assert iot.describe_provisioning_template_version(templateName="t", versionId=2)["templateBody"] == body
    listed = pages(iot, "list_provisioning_template_versions", "versions", templateName="t")
    assert [one["versionId"] for one in listed[0]] == [1, 2]
    claim = iot.create_provisioning_claim(templateName="t")
    assert "PRIVATE KEY" in claim["keyPair"]["PrivateKey"]
    lasts = claim["expiration"] - dt.datetime.now(dt.UTC)
    assert dt.timedelta(minutes=1) < lasts <= dt.timedelta(minutes=5)
    templates = pages(iot, "list_provisioning_templates", "templates")
    assert [one["templateName"] for one in templates[0]] == ["t"]
    iot.delete_provisioning_template_version(templateName="t", versionId=1)
    iot.delete_provisioning_template(templateName="t")
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_provisioning_template(templateName="t")


def test_what_is_not_simulated_is_told(iot: Any) -> None:
    made = iot.create_thing_group(thingGroupName="tagged", tags=[{"Key": "a", "Value": "b"}])
    warning = made["ResponseMetadata"]["HTTPHeaders"]["warning"]
    assert warning == '199 local-aws-iot-core "tags is not simulated here"'
    with pytest.raises(
        Exception, match=r"NotImplementedException.*ListOTAUpdates is not simulated here"
    ) as caught:
        iot.list_ota_updates()
    assert getattr(caught.value, "response")["ResponseMetadata"]["HTTPStatusCode"] == 501  # noqa: B009


def test_what_botocore_would_not_send(cloud: CloudThread) -> None:
    iot = boto.client("iot", cloud.call(lambda it: it.rest_url), validated=False)
    for call, arguments, error in (
        (iot.create_policy, {"policyName": "p"}, "InvalidRequestException.*'policyDocument'"),
        (
            iot.create_policy,
            {"policyName": "p", "policyDocument": 7},
            "SerializationException.*policyDocument",
        ),
        (iot.create_thing, {"thingName": "a/b"}, "InvalidRequestException.*'a/b' at 'thingName'"),
        (iot.create_thing, {"thingName": "a\r\nX: y"}, "InvalidRequestException"),
        (
            iot.create_thing,
            {"thingName": "a", "attributePayload": {"attributes": {"a": ["b"]}}},
            "Serialization",
        ),
        (iot.list_things, {"maxResults": 0}, "InvalidRequestException.*'maxResults'"),
        (iot.update_certificate, {"certificateId": "a" * 64, "newStatus": "?"}, "InvalidRequest.*enum"),
    ):
        with pytest.raises(Exception, match=error):
            call(**arguments)
