"""What the control plane makes of AWS's models, without a network."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from tools.cloud import Cloud, errors
from tools.cloud.rest import values
from tools.cloud.rest.models import models
from tools.cloud.rest.request import arguments
from tools.cloud.rest.response import answer, failure

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=0"
)
CASES = [
    ("", "GET", "/things/lamp", "iot", "DescribeThing", {"thingName": "lamp"}),
    ("", "GET", "/things/a%3Ab", "iot", "DescribeThing", {"thingName": "a:b"}),
    ("", "GET", "/things/lamp/shadow", "iot-data", "GetThingShadow", {"thingName": "lamp"}),
    ("", "POST", "/topics/a%2Fb", "iot-data", "Publish", {"topic": "a/b"}),
    ("", "POST", "/topics/a/b", "iot-data", "Publish", {"topic": "a/b"}),
    ("", "PUT", "/things/l/jobs/$next", "iot-jobs-data", "StartNextPendingJobExecution", {"thingName": "l"}),
    (
        "",
        "PUT",
        "/things/l/jobs/%24next",
        "iot-jobs-data",
        "StartNextPendingJobExecution",
        {"thingName": "l"},
    ),
    ("iot", "GET", "/things/l/jobs/j", "iot", "DescribeJobExecution", {"thingName": "l", "jobId": "j"}),
    (
        *("iot-jobs-data", "GET", "/things/l/jobs/%24next", "iot-jobs-data", "DescribeJobExecution"),
        {"thingName": "l", "jobId": "$next"},
    ),
    ("iotdata", "GET", "/retainedMessage", "iot-data", "ListRetainedMessages", {}),
    ("iot", "PUT", "/thing-groups/addThingToThingGroup", "iot", "AddThingToThingGroup", {}),
    ("elsewhere", "GET", "/things/lamp", "iot", "DescribeThing", {"thingName": "lamp"}),
]


@pytest.mark.parametrize(("scope", "method", "path", "service", "operation", "labels"), CASES)
def test_an_operation_is_found(
    scope: str, method: str, path: str, service: str, operation: str, labels: dict[str, str]
) -> None:
    found = models().find(SIGNED.format(scope) if scope else "", method, path)
    assert found is not None
    assert (found.service, found.operation.name, found.labels) == (service, operation, labels)


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("", "GET", "/nothing"),
        ("", "GET", "/things//"),
        ("", "TRACE", "/things/lamp"),
        ("", "GET", "things"),
        ("", "GET", ""),
        ("iotdata", "GET", "/things"),
        ("iot", "POST", "/topics/a"),
        ("", "GET", "/things/lamp/shadow/more"),
    ],
)
def test_no_operation(scope: str, method: str, path: str) -> None:
    assert models().find(SIGNED.format(scope) if scope else "", method, path) is None


def test_each_operation_is_found_by_its_own_path() -> None:
    """None is hidden by another's template."""
    for service, model in models().services.items():
        for name in model.operation_names:
            operation = model.operation_model(name)
            path = operation.http["requestUri"].replace("{", "x").replace("}", "x").replace("+", "")
            found = models().find(SIGNED.format(model.signing_name), operation.http["method"], path)
            assert found is not None, name
            assert (found.service, found.operation.name) == (service, name)


def test_the_patterns_of_the_models_are_ours() -> None:
    for model in models().services.values():
        for name in model.shape_names:
            if text := model.shape_for(name).metadata.get("pattern"):
                values.pattern(text)
    assert values.pattern(r"[\p{Graph}\x20]*").fullmatch("a sensor, not a lamp")
    assert not values.pattern(r"[\p{Graph}\x20]*").fullmatch("a\n")
    assert values.pattern(r"[^\p{C}]+").fullmatch("Wärme")
    assert not values.pattern(r"[^\p{C}]+").fullmatch("\x07")
    assert values.pattern(r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$").fullmatch("Größe 7")
    assert not values.pattern(r"[\w+=,.@-]+").fullmatch("Größe")  # Java's \w is ASCII's


async def test_methods_take_what_the_models_have(tmp_path: Path) -> None:
    """An operation's method has no argument that AWS has not, and asks for none that AWS leaves open."""
    seen = 0
    async with Cloud(tmp_path, rest_port=0) as cloud:
        assert cloud._rest is not None
        for service, objects in cloud._rest.services.items():
            model = models().services[service]
            operations = {xform_name(name): model.operation_model(name) for name in model.operation_names}
            for one in objects:
                for name, operation in operations.items():
                    method = getattr(one, name, None)
                    if method is None:
                        continue
                    seen += 1
                    shape = operation.input_shape
                    for argument in inspect.signature(method).parameters.values():
                        if argument.kind is argument.VAR_KEYWORD:
                            continue
                        assert argument.kind is argument.KEYWORD_ONLY, name
                        assert argument.name in shape.members, f"{name}: {argument.name}"
                        if argument.default is argument.empty:
                            assert argument.name in shape.required_members, f"{name}: {argument.name}"
    assert seen > 60


def test_errors_have_the_status_of_the_models() -> None:
    """Some have another in each service: then one of them."""
    statuses: dict[str, set[int]] = {}
    for model in models().services.values():
        for name in model.shape_names:
            shape = model.shape_for(name)
            if shape.metadata.get("exception"):
                statuses.setdefault(name, set()).add(shape.metadata["error"]["httpStatusCode"])
    for name, known in statuses.items():
        if ours := getattr(errors, name, None):
            assert ours.status in known, name


def _operation(service: str, name: str) -> Any:
    return models().services[service].operation_model(name)


def test_arguments_come_from_everywhere() -> None:
    attach = _operation("iot", "AttachThingPrincipal")
    found = arguments(attach, {"thingName": "lamp"}, "", {"x-amzn-principal": "arn"}, b"")
    assert found == {"thingName": "lamp", "principal": "arn"}
    listing = _operation("iot", "ListThings")
    assert arguments(listing, {}, "maxResults=7&usePrefixAttributeValue=TRUE&more=1", {}, b"ignored") == {
        "maxResults": 7,
        "usePrefixAttributeValue": True,
    }
    publish = _operation("iot-data", "Publish")
    assert arguments(publish, {"topic": "a"}, "qos=1", {}, b"\xff\x00") == {
        "topic": "a",
        "qos": 1,
        "payload": b"\xff\x00",
    }
    create = _operation("iot", "CreateThing")
    body = b'{"attributePayload": {"attributes": {"a": "b"}, "merge": null}, "unknown": [1]}'
    assert arguments(create, {"thingName": "lamp"}, "", {}, body) == {
        "thingName": "lamp",
        "attributePayload": {"attributes": {"a": "b"}},
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"thingTypeName": 5}', "thingTypeName: a whole number, must be a string"),
        (b'{"thingTypeName": true}', "thingTypeName: a boolean, must be a string"),
        (b'{"attributePayload": []}', "attributePayload: a list, must be an object"),
        (
            b'{"attributePayload": {"attributes": "x"}}',
            "attributePayload.attributes: a string, must be an ob",
        ),
        (b'{"attributePayload": {"attributes": {"a": 1.5}}}', "attributePayload.attributes.a: a number"),
        (b'{"attributePayload": {"attributes": {"a": {}}}}', "attributePayload.attributes.a: an object"),
        (
            b'{"attributePayload": {"merge": "yes"}}',
            "attributePayload.merge: a string, must be true or false",
        ),
        (b'{"expectedVersion": 1.5}', "expectedVersion: a number, must be a whole number"),
        (b'{"expectedVersion": 9223372036854775808}', "expectedVersion: must be a whole number of 64 bits"),
        (b'{"expectedVersion": ' + b"9" * 5000 + b"}", "the body "),
        (b"[]", "is not a JSON object"),
        (b"\xff", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"expectedVersion": NaN}', "NaN"),
        (b'{"a": ' * 500 + b"1" + b"}" * 500, "too deeply"),
        (b'{"thingTypeName": "\\ud800"}', "surrogate"),
    ],
)
def test_bodies_of_the_wrong_type(body: bytes, reason: str) -> None:
    operation = _operation("iot", "UpdateThing")
    with pytest.raises(errors.SerializationException, match=reason.replace(".", r"\.")):
        arguments(operation, {"thingName": "lamp"}, "", {}, body)


@pytest.mark.parametrize(
    ("name", "labels", "query", "body", "reason"),
    [
        ("CreateThing", {"thingName": "a b"}, "", b"", "'a b' at 'thingName' .* pattern"),
        ("CreateThing", {"thingName": "a" * 129}, "", b"", "length 129 at 'thingName' .* equal to 128"),
        (
            "ListThings",
            {},
            "maxResults=0",
            b"",
            "Value 0 at 'maxResults' .* value greater than or equal to 1",
        ),
        ("ListThings", {}, "maxResults=251", b"", "value less than or equal to 250"),
        ("UpdateCertificate", {"certificateId": "a" * 64}, "newStatus=GONE", b"", "enum value set"),
        ("CreatePolicy", {"policyName": "p"}, "", b"{}", "null at 'policyDocument' .* must not be null"),
        ("CreateThingGroup", {"thingGroupName": "g"}, "", b'{"tags": [{}]}', r"'tags\[0\].Key'"),
    ],
)
def test_the_models_constraints(
    name: str, labels: dict[str, str], query: str, body: bytes, reason: str
) -> None:
    with pytest.raises(values.ConstraintError, match=reason) as caught:
        arguments(_operation("iot", name), labels, query, {}, body)
    told = failure(caught.value, _operation("iot", name))
    assert (told.status, told.headers["x-amzn-ErrorType"]) == (400, "InvalidRequestException")


def test_a_number_in_the_query_that_is_none() -> None:
    for text in ("x", "1e3", "", "9" * 5000, "\uff11"):
        with pytest.raises(errors.SerializationException, match="maxResults"):
            arguments(_operation("iot", "ListThings"), {}, f"maxResults={text}", {}, b"")


def test_what_is_no_secret_of_a_value_is_told() -> None:
    operation = _operation("iot", "CreateProvisioningTemplate")
    long = b'{"templateName": "%s", "templateBody": "{}", "provisioningRoleArn": "x"}' % (b"secret" * 40)
    with pytest.raises(values.ConstraintError) as caught:
        arguments(operation, {}, "", {}, long)
    assert "secret" not in str(caught.value)
    assert "of length 240" in str(caught.value)


def test_answers_have_the_models_shape() -> None:
    describe = _operation("iot", "DescribeCertificate")
    result = {
        "certificateDescription": {"creationDate": 1.23456, "certificateId": None, "ours": 1},
        "more": 2,
    }
    made = answer(describe, result, [])
    assert made.body == b'{"certificateDescription": {"creationDate": 1.235}}'
    retained = answer(_operation("iot-data", "GetRetainedMessage"), {"payload": b"\xff", "qos": True}, [])
    assert retained.body == b'{"payload": "/w==", "qos": 1}'
    assert answer(_operation("iot-data", "GetThingShadow"), {"payload": b"{}"}, []).body == b"{}"
    assert answer(_operation("iot", "UpdateCertificate"), None, []).body == b""
    assert answer(_operation("iot", "DeleteThing"), None, []).body == b"{}"


def test_a_warning_stays_in_its_header() -> None:
    made = answer(_operation("iot", "DeleteThing"), None, ['a"\r\nSet-Cookie: x=ü', "two"])
    assert made.headers["Warning"] == (
        '199 local-aws-iot-core "a\'\\r\\nSet-Cookie: x=\\xfc", 199 local-aws-iot-core "two"'
    )


def test_an_error_has_its_members_and_its_services_status() -> None:
    error = errors.ResourceAlreadyExistsException("there", resourceId="i", resourceArn="a")
    made = failure(error, _operation("iot", "CreateThing"))
    assert (made.status, made.headers["x-amzn-ErrorType"]) == (409, "ResourceAlreadyExistsException")
    assert made.body == b'{"message": "there", "resourceId": "i", "resourceArn": "a"}'


def test_times() -> None:
    shape = _operation("iot", "ListAuditTasks").input_shape.members["startTime"]
    for sent in (1700000000, 1700000000.0, "2023-11-14T22:13:20Z"):
        assert values.from_json(shape, sent, "t") == 1700000000.0
    assert values.from_text(shape, "2023-11-14T22:13:20Z", "t") == 1700000000.0
    for sent in ("yesterday", "1" * 65, 1e300, -1e300, float("inf"), "", "99999-01-01"):
        with pytest.raises(errors.SerializationException, match="t: "):
            values.from_json(shape, sent, "t")
