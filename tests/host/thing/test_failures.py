"""What a user meets who has no cloud, no credentials, no permission: each told with its remedy."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.host.thing.conftest import PATIENCE, Thing
from tests.host.thing.device import Device, register
from tests.peers import boto
from tests.peers.cloud_thread import CloudThread
from tools.cloud import Cloud
from tools.cloud.endpoint import Endpoint
from tools.thing import overview
from tools.thing.account import Account

AWS = ("--aws", "--region", "eu-central-1")


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of whoever runs the tests."""
    names = ("PROFILE", "DEFAULT_PROFILE", "REGION", "ENDPOINT_URL", "SESSION_TOKEN", *boto.CREDENTIALS)
    for name in names:
        monkeypatch.delenv(f"AWS_{name.removeprefix('AWS_')}", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def somebody(nobody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in boto.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers as AWS's endpoints do where they refuse."""

    name, message = "AccessDeniedException", ""

    def do_GET(self) -> None:
        body = json.dumps({"message": self.message}).encode()
        self.send_response(403)
        self.send_header("x-amzn-ErrorType", self.name)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def refusing(somebody: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Refusing]]:
    handler = type("Handler", (Refusing,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield handler
        server.shutdown()
        thread.join()


def test_no_cloud_in_that_directory(thing: Thing, tmp_path: Path) -> None:
    done = thing("lamp", "show", "--json", where=("--state", str(tmp_path / "none")))
    assert done.status == 1 and "no cloud with a control plane" in done.failure["text"]
    assert "python3 -m tools cloud" in done.failure["remedy"]
    assert not list(tmp_path.iterdir())


async def test_a_cloud_that_has_ended(thing: Thing, tmp_path: Path) -> None:
    async with Cloud(tmp_path, rest_port=0) as cloud:
        url = cloud.rest_url
    done = thing("--json", where=("--state", str(tmp_path)))
    assert done.status == 1 and done.failure["text"].startswith(f"{url}: no cloud answers")
    assert "python3 -m tools cloud" in done.failure["remedy"]


def test_the_local_cloud_wants_nothing_of_aws(
    cloud: CloudThread, thing: Thing, nobody: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert thing().status == 0


@pytest.mark.parametrize(
    ("where", "told", "remedy"),
    [
        (AWS, "no credentials", "aws configure"),
        (("--aws",), "no region", "--region"),
        ((*AWS, "--profile", "work"), "work", "aws configure list-profiles"),
    ],
)
def test_no_way_into_aws(thing: Thing, nobody: None, where: tuple[str, ...], told: str, remedy: str) -> None:
    done = thing("lamp", "--json", where=where)
    assert done.status == 1 and told in done.failure["text"] and remedy in done.failure["remedy"]


def test_access_denied(thing: Thing, refusing: type[Refusing]) -> None:
    refusing.message = "User: arn:aws:iam::123456789012:user/ann is not authorized"
    done = thing("lamp", "show", "--json", where=AWS)
    assert done.status == 1
    assert done.failure["text"] == f"access denied: iot:DescribeThing: {refusing.message}"
    assert "iot:DescribeThing" in done.failure["remedy"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ExpiredTokenException", "does not take these credentials"),
        ("UnrecognizedClientException", "does not take these credentials"),
        ("NotImplementedException", "does not have it"),
        ("InvalidRequestException", "DescribeThing: InvalidRequestException"),
    ],
)
def test_other_refusals(thing: Thing, refusing: type[Refusing], name: str, told: str) -> None:
    refusing.name = name
    refusing.message = "" if name != "InvalidRequestException" else name
    done = thing("lamp", "show", "--json", where=AWS)
    assert done.status == 1 and told in done.failure["text"]


def test_a_name_that_none_can_have(cloud: CloudThread, thing: Thing) -> None:
    done = thing("l" * 129, "show", "--json")
    assert done.status == 1 and "thing" in done.failure["text"].lower()


def test_aws_by_the_environment(
    cloud: CloudThread, thing: Thing, somebody: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --aws all goes through boto3's own settings; here they lead to the local cloud."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.call(lambda it: it.rest_url))

    def done_at_once(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"status": "SUCCEEDED"}

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        return {"status": "SUCCEEDED"}

    device = Device(
        cloud, "far", register(cloud, "far"), {"x": done_at_once}, {"beep": answer}, lambda delta: delta
    )
    with device:
        for words in (
            ("job", "run", "x"),
            ("command", "run", "beep", "--timeout", PATIENCE),
            ("shadow", "set", "a=1", "--wait", PATIENCE),
            ("show",),
        ):
            done = thing("far", *words, where=AWS)
            assert done.status == 0, done.err
    done = thing("far", "logs", "--json", where=AWS)
    assert done.status == 1 and "DescribeLogGroups" in done.failure["text"]  # which this cloud has not


def test_the_endpoints_of_an_account_are_asked_for() -> None:
    session = boto3.Session("id", "secret", region_name="eu-central-1")
    account = Account("AWS", session, 1, {})
    with Stubber(account.iot) as stub:
        asked = {"endpointType": "iot:Data-ATS"}
        for host in ("a-ats.iot.amazonaws.com", "b-ats.iot.amazonaws.com"):
            stub.add_response("describe_endpoint", {"endpointAddress": host}, asked)
        assert account.data.meta.endpoint_url == "https://a-ats.iot.amazonaws.com"
        assert account.jobs_data.meta.endpoint_url == "https://b-ats.iot.amazonaws.com"


def test_whether_it_is_connected_may_be_denied() -> None:
    account = Account("AWS", boto3.Session("id", "secret", region_name="eu-central-1"), 1, {})
    with Stubber(account.iot) as iot:
        iot.add_response("describe_endpoint", {"endpointAddress": "a-ats.iot.amazonaws.com"})
        data = account.data
    with Stubber(data) as stub:
        stub.add_client_error("get_connection", "ForbiddenException", http_status_code=403)
        found = overview.connection(account, {"thingName": "lamp"})
    assert found == {"connected": None, "reason": "ForbiddenException: iot:GetConnection"}


def test_options_that_do_not_go_together(thing: Thing) -> None:
    done = thing("lamp", "show", "--region", "eu-central-1", "--json", where=())
    assert done.status == 2 and "--aws" in done.objects[0]["text"]


def test_an_old_state_without_a_control_plane(thing: Thing, tmp_path: Path) -> None:
    Endpoint("localhost", 1, ("localhost",)).save(tmp_path)
    assert thing("lamp", where=("--state", str(tmp_path))).status == 1


@pytest.mark.parametrize("words", [("--help",), ("lamp", "--help"), ("lamp", "job", "run", "--help")])
def test_help_at_each_word(thing: Thing, words: tuple[str, ...]) -> None:
    done = thing(*words, where=())
    assert (
        done.status == 0 and "examples:\n  python3 -m tools thing" in done.out and "exit status" in done.out
    )


def test_options_stand_where_one_likes(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "anywhere")
    state = ("--state", str(cloud.folder / "state"))
    for words in (
        (*state, "--json", "anywhere", "job", "list"),
        ("anywhere", *state, "job", "--json", "list"),
        ("anywhere", "job", "list", *state, "--json"),
    ):
        done = thing(*words, where=())
        assert (done.status, done.out) == (0, ""), words
