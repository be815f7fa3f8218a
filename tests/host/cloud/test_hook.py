"""The pre-provisioning hook, asked as AWS asks a Lambda function."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from iot.crypto import csr

from tests.host.cloud.support import Bench, bench
from tests.host.cloud.test_provisioning import CREATE, CSR, PROVISION, accepted, claim, rejected, token
from tools.cloud.hook import DEADLINE_S, Hook, HookError, ask, program

ALLOW = {"allowProvisioning": True}
MADE = """
import time

def handler(event, context):
    assert context is None
    print("not an answer")
    serial = event["parameters"]["SerialNumber"]
    if serial == "hangs":
        time.sleep(60)
    if serial == "raises":
        raise KeyError(serial)
    return {"allowProvisioning": serial == "7" and event["clientId"] == "claim-new"}
"""


def saying(answer: object, calls: list[dict[str, Any]] | None = None) -> Hook:
    async def hook(event: dict[str, Any]) -> object:
        if calls is not None:
            calls.append(event)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return hook


def request(owner: str, serial: str = "7") -> dict[str, Any]:
    return {"certificateOwnershipToken": owner, "parameters": {"SerialNumber": serial}}


def things(cloud: Bench) -> list[str]:
    return [thing["thingName"] for thing in cloud.cloud.registry.list_things()["things"]]


async def test_it_is_told_what_aws_tells(tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = []
    async with bench(tmp_path, hook=saying(ALLOW, calls)) as cloud:
        peer = await claim(cloud)
        await accepted(peer, PROVISION, request(await token(peer)))
        (event,) = calls
        registry = cloud.cloud.registry
        (principal,) = registry.list_thing_principals(thingName="7")["principals"]
        described = registry.describe_certificate(certificateId=event["certificateId"])[
            "certificateDescription"
        ]
        assert principal.endswith(event["certificateId"])
        claims = [c["certificateId"] for c in registry.list_certificates()["certificates"]]
        assert event["claimCertificateId"] in claims and event["claimCertificateId"] != event["certificateId"]
        assert event == {
            "claimCertificateId": event["claimCertificateId"],
            "certificateId": event["certificateId"],
            "certificatePem": described["certificatePem"],
            "templateArn": registry.arn("provisioningtemplate/LocalTemplate"),
            "clientId": "claim-new",
            "parameters": {"SerialNumber": "7"},
        }


@pytest.mark.parametrize(
    "answer",
    [
        {"allowProvisioning": False},
        {"allowProvisioning": "true"},
        {"allowProvisioning": 1},
        {},
        None,
        [ALLOW],
        "yes",
        ALLOW | {"parameterOverrides": ["SerialNumber"]},
        ALLOW | {"parameterOverrides": {"SerialNumber": 8}},
        RuntimeError("secret inventory"),
    ],
)
async def test_whatever_is_no_clear_yes_is_a_no(tmp_path: Path, answer: object) -> None:
    async with bench(tmp_path, hook=saying(answer)) as cloud:
        peer = await claim(cloud)
        owner = await token(peer)
        for _ in range(2):  # a refusal does not spend the token
            told = await rejected(peer, PROVISION, request(owner))
            assert (told["statusCode"], told["errorCode"]) == (403, "AccessDenied")
            assert "secret" not in told["errorMessage"]
        assert not things(cloud)
        event = await cloud.event("rejected")
        assert "the hook: " in event.detail


async def test_it_may_put_parameters_in_place_of_the_device_s(tmp_path: Path) -> None:
    async with bench(
        tmp_path, hook=saying(ALLOW | {"parameterOverrides": {"SerialNumber": "lamp-7"}})
    ) as cloud:
        peer = await claim(cloud)
        answer = await accepted(peer, PROVISION, request(await token(peer)))
        assert answer["thingName"] == "lamp-7" and things(cloud) == ["lamp-7"]


async def test_it_is_not_asked_about_what_is_refused_anyway(tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = []
    async with bench(tmp_path, hook=saying(ALLOW, calls)) as cloud:
        peer = await claim(cloud)
        for wrong in (b"{", request("made up"), {"certificateOwnershipToken": "", "parameters": {}}):
            await rejected(peer, PROVISION, wrong)
        assert not calls


async def test_one_that_thinks_holds_nobody_else(tmp_path: Path) -> None:
    """Two devices with one token: the first that the hook allows has it; one that leaves is no matter."""
    gate = asyncio.Event()

    async def hook(event: dict[str, Any]) -> object:
        await gate.wait()
        return ALLOW

    async with bench(tmp_path, hook=hook) as cloud:
        peer = await claim(cloud)
        owner = await token(peer)
        await peer.publish(
            PROVISION,
            b'{"certificateOwnershipToken": "%s", "parameters": {"SerialNumber": "1"}}' % owner.encode(),
        )
        await peer.publish(
            PROVISION,
            b'{"certificateOwnershipToken": "%s", "parameters": {"SerialNumber": "2"}}' % owner.encode(),
        )
        await (await cloud.client("other")).nothing_more()
        gate.set()
        answers = sorted([(await peer.message()).topic.rpartition("/")[2] for _ in range(2)])
        assert answers == ["accepted", "rejected"] and len(things(cloud)) == 1
        gate.clear()
        await peer.publish(PROVISION, b'{"certificateOwnershipToken": "%s"}' % (await token(peer)).encode())
        peer.writer.transport.abort()
        await cloud.event("disconnected")
        gate.set()


async def test_the_cloud_stops_while_it_thinks(tmp_path: Path) -> None:
    async def hook(event: dict[str, Any]) -> object:
        await asyncio.Event().wait()
        raise AssertionError

    async with bench(tmp_path, hook=hook) as cloud:
        peer = await claim(cloud)
        owner = (await token(peer)).encode()
        await peer.publish(PROVISION, b'{"certificateOwnershipToken": "%s"}' % owner)
        await peer.nothing_more()


def asked(hook: Hook, serial: str, **options: float) -> Awaitable[dict[str, str]]:
    return ask(hook, {"clientId": "claim-new", "parameters": {"SerialNumber": serial}}, **options)


@pytest.fixture(params=["function", "command"])
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hook:
    (tmp_path / "inventory.py").write_text(MADE)
    if request.param == "function":
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
        return program("inventory:handler")
    (tmp_path / "run.py").write_text(
        "import contextlib, json, sys, inventory\n"
        "with contextlib.redirect_stdout(sys.stderr):\n"
        "    answer = inventory.handler(json.load(sys.stdin), None)\n"
        "print(json.dumps(answer))\n"
    )
    return program(f"{sys.executable} {tmp_path}/run.py")


async def test_a_program_decides(made: Hook) -> None:
    assert await asked(made, "7", deadline_s=30) == {"SerialNumber": "7"}
    for serial, reason in (("8", "does not allow it"), ("raises", "status 1: KeyError: 'raises'")):
        with pytest.raises(HookError, match=reason):
            await asked(made, serial, deadline_s=30)


async def test_a_program_that_hangs_is_ended(made: Hook) -> None:
    with pytest.raises(HookError, match="no answer within 1 s"):
        await asked(made, "hangs", deadline_s=1)
    assert DEADLINE_S == 5


@pytest.mark.parametrize(
    "text", ["/no/such/program", "no_such_module:handler", "json:no_such_function", "true"]
)
async def test_a_program_that_cannot_run_allows_nothing(text: str) -> None:
    with pytest.raises(HookError):
        await asked(program(text), "7")


@pytest.mark.parametrize("text", ["", "  "])
def test_no_program(text: str) -> None:
    with pytest.raises(ValueError, match="module:function or a command"):
        program(text)


async def test_the_one_in_the_documentation_allows_each_device_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[3] / "docs/board.md").read_text()
    (code,) = re.findall(r'```python\n("""inventory\.py.*?)```', text, re.DOTALL)
    (tmp_path / "inventory.py").write_text(code)
    (tmp_path / "devices.json").write_text('{"7": true}')
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    async with bench(tmp_path, hook=program("inventory:handler")) as cloud:
        peer = await claim(cloud)  # as claim-new, which is not the device's
        await rejected(peer, PROVISION, request(await token(peer)))
        aws = cloud.cloud.device_configuration([])["aws"]
        peer = await cloud.client("claim-7", (aws["claim_certificate"], aws["claim_key"]))
        for topic in (CREATE, PROVISION):
            await peer.subscribe(f"{topic}/accepted")
            await peer.subscribe(f"{topic}/rejected")
        assert (await accepted(peer, PROVISION, request(await token(peer))))["thingName"] == "7"
        await rejected(peer, PROVISION, request(await token(peer)))
        await rejected(peer, PROVISION, request(await token(peer), "8"))


async def test_the_one_in_the_documentation_lets_a_thing_replace_its_own_certificate_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[3] / "docs/board.md").read_text()
    (code,) = re.findall(r'```python\n("""inventory\.py.*?)```', text, re.DOTALL)
    (tmp_path / "inventory.py").write_text(code)
    (tmp_path / "devices.json").write_text('{"7": true, "8": true}')
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    async with bench(tmp_path, hook=program("inventory:handler")) as cloud:
        aws = cloud.cloud.device_configuration([])["aws"]
        peer = await cloud.client("claim-7", (aws["claim_certificate"], aws["claim_key"]))
        for topic in (CREATE, PROVISION):
            await peer.subscribe(f"{topic}/accepted")
        made = await accepted(peer, CREATE, {})
        await accepted(peer, PROVISION, request(made["certificateOwnershipToken"]))
        thing = await cloud.client("7", (made["certificatePem"], made["privateKey"]))
        for topic in (CSR, PROVISION):
            await thing.subscribe(f"{topic}/accepted")
            await thing.subscribe(f"{topic}/rejected")
        _, csr_pem = await csr.make(os.urandom, "7")
        other = await accepted(thing, CSR, {"certificateSigningRequest": csr_pem})
        await rejected(thing, PROVISION, request(other["certificateOwnershipToken"], "8"))
        assert things(cloud) == ["7"]
        await accepted(thing, PROVISION, request(other["certificateOwnershipToken"]))
        assert len(cloud.cloud.registry.list_thing_principals(thingName="7")["principals"]) == 2
