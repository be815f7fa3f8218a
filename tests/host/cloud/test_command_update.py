"""What a device may say of an execution, and which status may follow which."""

import json
from typing import Any

import pytest

from tools.cloud.commands import update
from tools.cloud.commands.update import Refused

FINAL = ("SUCCEEDED", "FAILED", "REJECTED")
OPEN = ("IN_PROGRESS", *FINAL, "TIMED_OUT")
BAD_REASONS: list[Any] = [
    "X", [], {}, {"reasonCode": "lower"}, {"reasonCode": ""}, {"reasonCode": "A" * 65},
    {"reasonCode": 5}, {"reasonCode": "A", "reasonDescription": "two\nlines"},
    {"reasonCode": "A", "reasonDescription": "x" * 1025},
    {"reasonCode": "A", "reasonDescription": 1},
]  # fmt: skip
BAD_RESULTS: list[Any] = [
    "x", [], {"a": "text"}, {"a": {}}, {"a": {"s": "1", "b": True}}, {"a": {"S": "upper"}},
    {"a": {"s": ""}}, {"a": {"s": 1}}, {"a": {"b": "true"}}, {"a": {"b": 1}}, {"a": {"bin": "?"}},
    {"a": {"bin": ""}}, {"a": {"bin": "ü"}}, {"a b": {"s": "x"}}, {"": {"s": "x"}},
    {"a" * 33: {"s": "x"}}, {"a": None},
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "by_cloud", "allowed"),
    [
        ("CREATED", False, OPEN),
        ("IN_PROGRESS", False, OPEN),
        ("TIMED_OUT", True, (*FINAL, "TIMED_OUT")),
        ("TIMED_OUT", False, ()),
        *((status, False, ()) for status in FINAL),
    ],
)
def test_transitions(status: str, by_cloud: bool, allowed: tuple[str, ...]) -> None:
    """AWS's table, "Command execution status"."""
    for following in OPEN:
        if following in allowed:
            update.check_transition(status, by_cloud, following)
            continue
        with pytest.raises(Refused) as refused:
            update.check_transition(status, by_cloud, following)
        terminal = status in FINAL and following != "IN_PROGRESS"
        assert refused.value.code == ("TerminalStateReached" if terminal else "InvalidStateTransition")
    assert update.is_final(status, by_cloud) is (not allowed)


def test_the_example_of_the_guide() -> None:
    said = {
        "deviceId": "My_Car",
        "executionId": "07e4b780-7eca-4ffd-b772-b76358da5542",
        "status": "FAILED",
        "statusReason": {"reasonCode": "CAR_LOW_ON_BATTERY", "reasonDescription": "lower than 5 percent"},
        "result": {"sn": {"s": "ABC-001"}, "digital": {"b": True}, "raw": {"bin": "/w=="}},
    }
    parsed = update.parse(json.dumps(said).encode())
    assert (parsed.status, parsed.reason) == ("FAILED", said["statusReason"])
    assert parsed.result is not None
    assert update.as_boto3(parsed.result) == {
        "sn": {"S": "ABC-001"},
        "digital": {"B": True},
        "raw": {"BIN": b"\xff"},
    }


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\xff\xfe", b"{", b"[]", b'"SUCCEEDED"', b"NaN", b'{"status":NaN}', b'{"a":1,"a":2}',
        b"[" * 500 + b"]" * 500, b'{"a":' * 500 + b"1" + b"}" * 500, b'{"a":"\\ud800"}', b"1" * 5000,
        b"[" * 100_000, b"\0" * 131_072,
    ],
)  # fmt: skip
def test_what_is_no_json(payload: bytes) -> None:
    with pytest.raises(Refused) as refused:
        update.parse(payload)
    assert refused.value.code == "InvalidJson"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, "status"),
        ({"status": "CREATED"}, "status"),
        ({"status": "succeeded"}, "status"),
        ({"status": ["SUCCEEDED"]}, "status"),
        ({"status": {"a": 1}}, "status"),
        *(({"status": "FAILED", "statusReason": bad}, "statusReason") for bad in BAD_REASONS),
        ({"status": "FAILED", "result": {}}, "At least 1 command execution result is required"),
        *(({"status": "FAILED", "result": bad}, "result") for bad in BAD_RESULTS),
    ],
)
def test_what_aws_refuses(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        update.parse(json.dumps(said).encode())
    assert refused.value.code == "InvalidRequest"
