"""`aws check` of an account that `aws up` has made: right in all, then with what can go wrong with a hook."""

import datetime as dt
import json
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.host.thing.conftest import in_process
from tests.peers.boto import CREDENTIALS
from tests.second.aws import ACCOUNT, Aws
from tools.aws import account_checks, reach
from tools.thing.account import Account

Found = dict[str, list[dict[str, str]]]
NAME = "checked"


@pytest.fixture
def aws_verb(
    another: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[dict[str, Any]]]:
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": another.url}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setattr("tools.thing.account._AWS_POLL_S", 0.2)
    # This AWS has none of them, and takes four seconds to say so.
    monkeypatch.setattr(account_checks, "quotas", lambda account: iter(()))
    monkeypatch.setattr(Account, "aws", cache(Account.aws))  # boto3 reads its models once

    def run(*words: str) -> list[dict[str, Any]]:
        return in_process(monkeypatch, capsys, "aws", *words, "--name", NAME, "--json").objects

    return run


def test_a_stack_that_is_right_and_a_hook_that_is_not(
    another: Aws,
    aws_verb: Callable[..., list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = another.iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"].partition(":")[0]
    connect = socket.create_connection
    monkeypatch.setattr(
        reach.socket, "create_connection", lambda place, timeout: connect(("127.0.0.1", place[1]), timeout)
    )
    root, product = tmp_path / "root.pem", tmp_path / "product.json"
    root.write_text(another.root_ca)
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=60)).date().isoformat()
    made = aws_verb(
        *("up", "--yes", "--claim", NAME, "--until", tomorrow, "--out", str(product)),
        *("--endpoint", host, "--port", str(another.port), "--root", str(root)),
    )
    assert made[-1]["ok"], made
    client = another.client("lambda")

    def check(*words: str) -> Found:
        found: Found = {}
        for one in aws_verb("check", "--product", str(product), *words)[:-1]:
            found.setdefault(one["what"], []).append(one)
        return found

    try:
        right = check()
        assert {one["state"] for found in right.values() for one in found} == {"ok"}, right
        assert (
            ACCOUNT in right["credentials"][0]["text"]
            and "by itself" in right["template's policy"][0]["text"]
        )
        assert "cannot claim" in check("esp32-1")["serial"][0]["text"]
        aws_verb("serials", "add", "esp32-1")
        assert check("esp32-1")["serial"][0]["text"].endswith("and may claim")
        function = right["hook"][0]["text"].removeprefix("the function ")
        (statement,) = statements(client, function)
        client.remove_permission(FunctionName=function, StatementId=statement)
        assert "may not be called by AWS IoT" in check()["hook"][0]["text"]
        client.delete_function(FunctionName=function)
        assert "is not there: every device is refused" in check()["hook"][0]["text"]
        another.iot.update_provisioning_template(templateName=NAME, removePreProvisioningHook=True)
        assert "any name" in check()["hook"][0]["text"]
    finally:
        aws_verb("claim", "--retire", NAME)
        ended = aws_verb("down", "--yes")
    assert ended[-1]["ok"], ended


def statements(client: Any, function: str) -> list[str]:
    policy = json.loads(client.get_policy(FunctionName=function)["Policy"])
    return [one["Sid"] for one in policy["Statement"]]
