"""ministack, an AWS on this machine that others wrote, as a process of its own.

It listens for MQTT on all of this machine's interfaces and knows no setting for that; it takes who shows no
certificate, too. Its control plane is on loopback alone.
"""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.patience import PATIENCE_S
from tests.peers import boto
from tests.second.aws import ACCOUNT, Aws

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".ministack/bin/ministack"
_ATTEMPTS = 5  # another process may take a port between its choice and its use
_LOOK_S = 0.05
_READY = ("Running on http", "MQTT listening on port")
ASSUMED_BY_IOT = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
_REGISTRATION = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"


class PortTakenError(Exception):
    """Another process was faster."""


@contextlib.contextmanager
def ministack(folder: Path, host: str) -> Iterator[Aws]:
    """Start it with its state in `folder`; policies are enforced.

    Args:
        folder: for its log and whatever else it writes.
        host: a name that its servers' certificate is for, beside localhost.
    """
    for attempt in range(_ATTEMPTS):
        gateway, mqtt = _free_ports(2)
        log = folder / f"log-{attempt}"
        process = _start(folder, log, host, gateway, mqtt)
        try:
            _wait(process, log)
            yield _aws(f"http://127.0.0.1:{gateway}", mqtt)
            return
        except PortTakenError:
            continue
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            finally:
                process.kill()
    raise RuntimeError(f"no ports for ministack in {_ATTEMPTS} attempts; see {folder}")


def _start(folder: Path, log: Path, host: str, gateway: int, mqtt: int) -> "subprocess.Popen[bytes]":
    if not PROGRAM.exists():
        raise FileNotFoundError(f"{PROGRAM} is missing: make .ministack/ready")
    settings = {
        "AUTH": "true",  # without, no policy is looked at
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(gateway),
        "IOT_MTLS_PORT": str(mqtt),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_HOST": host,
        **boto.CREDENTIALS,  # which make them those of the account's root
    }
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **settings}
    with log.open("wb") as file:
        return subprocess.Popen(
            [PROGRAM], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until it listens on both ports, by its own word."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        said = log.read_text(errors="replace")
        if all(line in said for line in _READY):
            return
        if "already in use" in said:
            raise PortTakenError
        if process.poll() is not None:
            raise RuntimeError(f"ministack ended with status {process.returncode}: {said[-2000:]}")
        time.sleep(_LOOK_S)
    raise TimeoutError(f"ministack does not listen after {PATIENCE_S:g} s: {log.read_text()[-2000:]}")


def _aws(url: str, port: int) -> Aws:
    iam = boto.client("iam", url)
    role = iam.create_role(RoleName="provisioning", AssumeRolePolicyDocument=json.dumps(ASSUMED_BY_IOT))
    iam.attach_role_policy(RoleName="provisioning", PolicyArn=_REGISTRATION)
    with urllib.request.urlopen(f"{url}/_ministack/iot/ca.pem", timeout=PATIENCE_S) as answer:
        root_ca = answer.read().decode()
    return Aws("ministack", url, port, root_ca, "rsa", role["Role"]["Arn"])


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
