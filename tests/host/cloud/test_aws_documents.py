"""AWS's own documents: each is taken and does what its text promises, or is refused for a reason."""

import asyncio
import functools
import json
import operator
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.host.cloud import aws_policies, aws_templates, support
from tests.host.cloud.aws_policies import ARN, EXAMPLES
from tests.host.cloud.test_provisioning import CREATE, accepted
from tests.patience import PATIENCE_S
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


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value inside a document."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield (*path, key)
            yield from places(value[key], (*path, key))


def damaged(data: st.DataObject, document: dict[str, Any]) -> str:
    """A document's text with anything in the place of one of its values."""
    *path, last = data.draw(st.sampled_from(list(places(document))))
    copy = json.loads(json.dumps(document))
    functools.reduce(operator.getitem, path, copy)[last] = data.draw(anything)
    return json.dumps(copy)


@settings(deadline=None, max_examples=300)
@given(st.data(), st.sampled_from(list(EXAMPLES)))
def test_a_damaged_policy_is_refused_in_words_or_judges(data: st.DataObject, name: str) -> None:
    example = EXAMPLES[name]
    try:
        document = Policy(damaged(data, example.document))
    except MalformedPolicyException as error:
        assert str(error)
    else:
        for action, resource, variables, _ in example.decisions:
            assert is_allowed([document], action, ARN + resource, variables) in (True, False)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_template_is_refused_in_words_or_resolved(data: st.DataObject) -> None:
    """A device is refused for its parameters alone."""
    try:
        template = Template(damaged(data, aws_templates.FLEET))
    except InvalidRequestException as error:
        assert str(error)
    else:
        with suppress(ParameterError):
            assert template.resolve("c1", {"SerialNumber": "7", "DeviceLocation": "Seattle"}).thing_name


async def test_the_example_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/policies.md as it stands makes a cloud in which a lamp is provisioned and may do what it says."""
    text = (Path(__file__).parents[3] / "docs/policies.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0].replace("port=8883", "port=0")
    module: dict[str, Any] = {"__name__": "example"}
    exec(code, module)
    printed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    module["print"] = printed.set_result
    monkeypatch.chdir(tmp_path)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        main = tasks.create_task(module["main"]())
        aws = json.loads(await printed)["aws"]
        context = support.client_context(
            aws["root_ca"], (aws["claim_certificate"], aws["claim_key"]), tmp_path
        )
        peer = support.Peer(*await asyncio.open_connection("localhost", aws["port"], ssl=context))
        await peer.connect("claim-lamp")
        provision = "$aws/provisioning-templates/Lamps/provision/json"
        for topic in (CREATE, provision):
            await peer.subscribe(f"{topic}/accepted")
        keys = await accepted(peer, CREATE, {})
        request = {
            "certificateOwnershipToken": keys["certificateOwnershipToken"],
            "parameters": {"SerialNumber": "lamp", "Place": "OR"},
        }
        answer = await accepted(peer, provision, request)
        assert answer == {"deviceConfiguration": {"server": "or.example.com"}, "thingName": "lamp"}
        own = support.client_context(aws["root_ca"], (keys["certificatePem"], keys["privateKey"]), tmp_path)
        lamp = support.Peer(*await asyncio.open_connection("localhost", aws["port"], ssl=own))
        await lamp.connect("lamp", clean=False)
        await lamp.publish("telemetry/lamp", b"1")
        for one in (peer, lamp):
            one.writer.transport.abort()
        main.cancel()
