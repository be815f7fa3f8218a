"""The aws CLI (v1) drives the local cloud by --endpoint-url alone; a kill -9 loses nothing of what it did."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_S
from tests.peers import boto
from tools.cloud.endpoint import Endpoint

REPOSITORY = Path(__file__).parents[2]
AWS = Path(sysconfig.get_path("scripts")) / "aws"


@contextlib.contextmanager
def running(state: Path) -> Iterator[str]:
    """A cloud in a process of its own, killed at the end; gives its endpoint_url."""
    command = [sys.executable, "-m", "tools", "cloud", "--port", "0", "--state", str(state)]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline() + process.stdout.readline()
        found = re.search(r"endpoint_url for boto3 and the aws CLI: (http://localhost:\d+)", said.decode())
        assert found, said
        assert Endpoint.load(state).rest_url == found[1]
        yield found[1]
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def aws(home: Path, url: str, *arguments: str, status: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, AWS, "--endpoint-url", url, *arguments],
        env=boto.environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == status, done.stderr
    return done.stderr if status else json.loads(done.stdout or "null")


def test_the_cli(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as url:
        made = aws(tmp_path, url, "iot", "create-thing", "--thing-name", "lamp")
        assert made["thingArn"].endswith("thing/lamp")
        assert [one["thingName"] for one in aws(tmp_path, url, "iot", "list-things")["things"]] == ["lamp"]
        publish = ("iot-data", "publish", "--topic", "a/b", "--qos", "1", "--retain", "--payload", "hello")
        assert aws(tmp_path, url, *publish) is None
        told = aws(tmp_path, url, "iot", "describe-thing", "--thing-name", "door", status=255)
        assert "(ResourceNotFoundException)" in told
        assert "thing door does not exist" in told
    with running(state) as url:
        iot, data = boto.client("iot", url), boto.client("iot-data", url)
        assert iot.describe_thing(thingName="lamp")["version"] == 1
        assert data.get_retained_message(topic="a/b")["payload"] == b"hello"


def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as url:
        iot = boto.client("iot", url)
        document = json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
        )
        iot.create_policy(policyName="p", policyDocument=document)
        iot.create_policy_version(policyName="p", policyDocument=document, setAsDefault=True)
        iot.create_thing_type(thingTypeName="Lamp", thingTypeProperties={"thingTypeDescription": "shines"})
        iot.deprecate_thing_type(thingTypeName="Lamp")
        iot.create_thing_group(thingGroupName="house")
        iot.create_thing_group(thingGroupName="hall", parentGroupName="house")
        for i in range(20):
            iot.create_thing(thingName=f"t{i:02}")
            iot.add_thing_to_thing_group(thingGroupName="hall", thingName=f"t{i:02}")
        certificate = iot.create_keys_and_certificate(setAsActive=True)
        iot.attach_policy(policyName="p", target=certificate["certificateArn"])
    with running(state) as url:
        iot = boto.client("iot", url)
        assert iot.get_policy(policyName="p")["defaultVersionId"] == "2"
        assert iot.describe_thing_type(thingTypeName="Lamp")["thingTypeMetadata"]["deprecated"]
        things = iot.list_things_in_thing_group(thingGroupName="house", recursive=True)["things"]
        assert things == [f"t{i:02}" for i in range(20)]
        attached = iot.list_attached_policies(target=certificate["certificateArn"])["policies"]
        assert [one["policyName"] for one in attached] == ["p"]


def test_a_port_that_is_taken_and_one_that_others_reach(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools", "cloud", "--port", "0", "--state", str(tmp_path / "other")]
    with running(tmp_path / "state") as url:
        port = url.rpartition(":")[2]
        done = subprocess.run(
            [*command, "--rest-port", port],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
    assert done.returncode == 1
    assert f"the control plane: 127.0.0.1 port {port}" in done.stderr
    assert "give another --rest-port or --rest-listen" in done.stderr
    process = subprocess.Popen(
        [*command, "--rest-listen", "0.0.0.0"],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stderr is not None
    try:
        warning = process.stderr.readline().decode()
    finally:
        process.kill()
        process.communicate()
    assert warning == "warning: boto3's port listens on 0.0.0.0, and whoever reaches it may do anything\n"


@pytest.mark.parametrize("address", ["nowhere", "1.2.3", ""])
def test_an_address_that_is_none(tmp_path: Path, address: str) -> None:
    command = [sys.executable, "-m", "tools", "cloud", "--state", str(tmp_path), "--rest-listen", address]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 2
    assert "--rest-listen" in done.stderr
