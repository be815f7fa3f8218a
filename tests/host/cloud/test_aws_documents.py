"""AWS's own documents: each is taken and does what its text promises, or is refused for a reason."""

import json
from typing import Any

import pytest

from tests.host.cloud import aws_policies, aws_templates
from tests.host.cloud.aws_policies import ARN, EXAMPLES
from tools.cloud.errors import InvalidRequestException, MalformedPolicyException
from tools.cloud.intrinsics import ParameterError
from tools.cloud.policy import Policy, is_allowed
from tools.cloud.template import Template


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_policy(name: str) -> None:
    example = EXAMPLES[name]
    document = Policy(json.dumps(example.document, indent=4))
    for action, resource, variables, expected in example.decisions:
        found = is_allowed([document], action, ARN + resource, variables)
        assert found is expected, (action, resource, variables)


@pytest.mark.parametrize("name", aws_policies.REFUSED)
def test_a_policy_that_is_refused(name: str) -> None:
    statement, reason = aws_policies.REFUSED[name]
    with pytest.raises(MalformedPolicyException, match=reason):
        Policy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_policy_inside_a_template(name: str) -> None:
    """As text and as an object, and with a function for each of its values."""
    document = EXAMPLES[name].document

    def joined(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: joined(inner) for key, inner in value.items()}
        return [joined(one) for one in value] if isinstance(value, list) else {"Fn::Join": ["", [value]]}

    for source in (document, json.dumps(document), joined(document)):
        body = aws_templates.FLEET | {"Resources": aws_templates.resources(
            {"ThingName": "a"}, {"CertificateId": aws_templates.ID}, source)}  # fmt: skip
        wanted = Template(json.dumps(body)).resolve("c1", {"SerialNumber": "7", "DeviceLocation": "Seattle"})
        assert json.loads(wanted.policy_documents[0]) == document


@pytest.mark.parametrize("name", aws_policies.REFUSED)
def test_a_template_with_a_policy_that_is_refused(name: str) -> None:
    statement, reason = aws_policies.REFUSED[name]
    source = {"Version": "2012-10-17", "Statement": [statement]}
    body = aws_templates.FLEET | {"Resources": aws_templates.resources(
        {"ThingName": "a"}, {"CertificateId": aws_templates.ID}, source)}  # fmt: skip
    with pytest.raises(
        InvalidRequestException, match=r"Resources\.policy\.Properties\.PolicyDocument: .*" + reason
    ):
        Template(json.dumps(body))


def test_a_fleet_template() -> None:
    template = Template(json.dumps(aws_templates.FLEET, indent=4))
    wanted = template.resolve("c1", {"SerialNumber": "7", "DeviceLocation": "Seattle"})
    assert (wanted.thing_name, wanted.thing_type) == ("lamp_7", "Type_7")
    assert wanted.attributes == {"version": "v1", "serialNumber": "7"}
    assert (wanted.thing_groups, wanted.billing_group) == (["lamps", "WA"], "LampCustomers")
    assert wanted.overrides == aws_templates.OVERRIDES
    assert wanted.certificate_status == "ACTIVE"
    assert [json.loads(text) for text in wanted.policy_documents] == [aws_templates.DOCUMENT]
    assert wanted.device_configuration == {
        "FallbackUrl": "https://www.example.com/lamps",
        "LocationUrl": "https://seattle.example",
    }
    with pytest.raises(
        ParameterError, match=r"DeviceConfiguration\.LocationUrl.*nothing for 'Atlantis', 'Url'"
    ):
        template.resolve("c1", {"SerialNumber": "7", "DeviceLocation": "Atlantis"})


@pytest.mark.parametrize("name", aws_templates.REFUSED)
def test_a_template_that_is_refused(name: str) -> None:
    source, reason = aws_templates.REFUSED[name]
    with pytest.raises(InvalidRequestException, match=reason):
        Template(json.dumps(source))
