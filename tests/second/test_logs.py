"""The log drain on ministack: made by `aws up logs`, fed by a device and by syslog, read by `logs --aws`."""

import asyncio
import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.host.logs.test_syslog_properties import framed
from tests.host.thing.conftest import PATIENCE, Done, in_process
from tests.patience import PATIENCE_S, until
from tests.peers.boto import CREDENTIALS
from tests.second.aws import Aws
from tests.second.test_device import name
from tests.second.test_services import Operator
from tests.system.house import START_S, Site

APP = """
    import asyncio

    async def main(thing):
        while True:
            thing.log.warning("app", "it is {}", "dark")
            await asyncio.sleep(1)
"""
NAME = ("--name", "drained")
OTHER = "d.9173ea1f-6f14-4976-9cf0-7cd0dafdcdbc"


@pytest.fixture
def aws(another: Aws) -> Aws:
    """ministack alone: the local cloud has no CloudFormation."""
    return another


@pytest.fixture
def tools(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """`python3 -m tools …`; the environment alone leads to ministack."""
    none = {key: str(tmp_path / "none") for key in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    for key, value in {**CREDENTIALS, **none, "AWS_ENDPOINT_URL": aws.url}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("tools.thing.account._AWS_POLL_S", 0.2)

    def run(*words: str) -> Done:
        done = in_process(monkeypatch, capsys, *words, "--json")
        assert done.status == 0, done.err
        return done

    return run


def there(aws: Aws) -> dict[str, list[str]]:
    """What a stack could leave behind."""
    listed = {
        "parameters": [one["Name"] for one in aws.client("ssm").describe_parameters()["Parameters"]],
        "groups": [one["logGroupName"] for one in aws.client("logs").describe_log_groups()["logGroups"]],
        "rules": [one["ruleName"] for one in aws.iot.list_topic_rules()["rules"]],
        "roles": [one["RoleName"] for one in aws.client("iam").list_roles()["Roles"]],
        "functions": [one["FunctionName"] for one in aws.client("lambda").list_functions()["Functions"]],
        "buckets": [one["Name"] for one in aws.client("s3").list_buckets()["Buckets"]],
    }
    return {key: sorted(value) for key, value in listed.items()}


@pytest.fixture
def url(aws: Aws, tools: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The drain's, with its token, as ministack serves it; afterwards nothing of it is left."""
    before = there(aws)
    tools("aws", "up", "--yes", *NAME)
    try:
        made = tools("aws", "up", "logs", "--yes", "--set", "Page=on", *NAME).value
        assert made["changed"] and made["outputs"]["Group"] == "/drained/logs"
        token = tools("logs", "token", "--aws", *NAME).value
        assert urlsplit(token["drain"]).password == token["token"]
        for words, said in ((("token", "--keep", "--stdin"), OTHER), (("webhook",), "https://example.com/")):
            monkeypatch.setattr("sys.stdin", io.StringIO(f"{said}\n"))
            tools("logs", *words, "--aws", *NAME)
        tools("logs", "webhook", "--remove", "--aws", *NAME)
        host = urlsplit(token["url"]).hostname
        yield f"{aws.url}/_aws/lambda-url/{host.partition('.')[0]}/#{token['token']}"
    finally:
        tools("aws", "down", "logs", "--yes", *NAME)
        tools("aws", "down", "--yes", *NAME)
    assert there(aws) == before


def post(url: str, body: bytes, token: str | None = None) -> dict[str, Any]:
    where, _, own = url.partition("#")
    headers = {
        "Content-Type": "application/logplex-1",
        "Logplex-Drain-Token": own if token is None else token,
    }
    with urllib.request.urlopen(urllib.request.Request(where, body, headers), timeout=PATIENCE_S) as answer:
        return json.loads(answer.read())


async def test_a_devices_line_and_syslog_are_in_the_log_group(
    url: str, tools: Any, site: Site, aws: Aws
) -> None:
    device = site.device(APP)
    await site.normal(device)
    await device.expect(r"app: it is dark", START_S)
    operator = Operator(aws, device)
    await operator.create_job(f"log-{operator.thing}", {"action": "log", "level": "warning", "minutes": 60})
    router = b"<11>1 2012-07-22T00:06:26+00:00 router kernel 7 - hot"
    heard: list[tuple[str, bytes]] = []
    async with site.subscriber(lambda *message: heard.append(message), "drain/+"):
        body = framed(router, b"<14>1 - router kernel 7 - warm") + b"9 <1"
        told = await asyncio.to_thread(post, url, body, OTHER)
        assert (told["received"], told["forwarded"], told["malformed"]) == (3, 2, 1), told
        await until(lambda: len(heard) == 2, "what the live page is told")
    assert {topic for topic, _ in heard} == {"drain/router", "drain/syslog"}
    with pytest.raises(urllib.error.HTTPError, match="401"):
        await asyncio.to_thread(post, url, framed(router), "no token of ours")
    logs = ("logs", "--aws", "--since", "1h", "--seconds", PATIENCE, *NAME)

    def of_device() -> list[dict[str, Any]]:
        return tools(*logs, "--thing", operator.thing, "--count", "2").objects

    first, second = await asyncio.to_thread(of_device)
    for line in (first, second):
        assert (line["thing"], line["level"], line["area"]) == (operator.thing, "W", "app")
        assert line["text"] == "it is dark" and line["t"] > 0 and len(line["principal"]) == 64
    drained = await asyncio.to_thread(lambda: tools(*logs, "--source", "router", "--count", "2").objects)
    lines = [(line["text"], line["area"], line["level"], line["kind"]) for line in drained]
    assert lines == [("hot", "kernel[7]", "E", "syslog"), ("warm", "kernel[7]", "I", "syslog")]
    assert drained[0]["time"] == "2012-07-22T00:06:26.000Z", "though no group takes a line at that time"
    (wrong,) = (await asyncio.to_thread(lambda: tools(*logs, "--source", "syslog", "--count", "1"))).objects
    assert wrong["text"].startswith("malformed: frame 3, byte ")
    shown = ("thing", operator.thing, "logs", "--aws", "--count", "1", "--seconds", PATIENCE, *NAME)
    (line,) = (await asyncio.to_thread(lambda: tools(*shown))).objects
    assert line["text"] == "it is dark"
    assert name(device) == operator.thing
