"""The same publish on an AWS that others wrote: its S3, its jobs, its presigned URLs."""

import contextlib
import datetime as dt
import hashlib
import json
import ssl
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.host.thing.conftest import PATIENCE, Done
from tests.patience import PATIENCE_S
from tests.peers import boto
from tests.second.aws import Aws
from tests.second.ministack import ASSUMED_BY_IOT
from tools.__main__ import main
from tools.release.keys import public_of
from tools.release.manifest import Manifest
from tools.release.roots import Root, key_id
from tools.release.signatures import Signature

DATA = bytes(range(256)) * 300
KEY = ec.derive_private_key(7, ec.SECP256R1())
Run = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release that its only key has signed, beside its root."""
    sha256 = hashlib.sha256(DATA).hexdigest()
    expires = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)
    made = Manifest("lamp", "app", "1.0+2", 0, expires, "ESP32", (), len(DATA), sha256, "1.25.0", "6")
    public = public_of(KEY.public_key())
    signature = Signature(key_id(public), KEY.sign(made.text(), ec.ECDSA(hashes.SHA256())))
    folder = tmp_path / "lamp-1.0+2"
    folder.mkdir()
    for name, data in (
        ("manifest", made.text()),
        ("firmware.pack", DATA),
        ("signatures", f"{signature}\n".encode()),
    ):
        (folder / name).write_bytes(data)
    (tmp_path / "root").write_bytes(Root("lamp", 1, 1, (public,)).text())
    return folder


@pytest.fixture
def release(
    aws: Aws, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`python3 -m tools release … --aws`, which the environment leads to this cloud."""
    for name, value in (boto.environment(folder.parent) | {"AWS_ENDPOINT_URL": aws.url}).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["tools", "release", *map(str, arguments), "--aws", "--json"])
        capsys.readouterr()
        status = main()
        done = Done(status, *capsys.readouterr())
        assert "X-Amz" not in done.out + done.err
        return done

    return run


def part(aws: Aws, url: str, first: int, last: int) -> tuple[int, str, bytes]:
    context = ssl.create_default_context(cadata=aws.root_ca) if url.startswith("https") else None
    request = urllib.request.Request(url, headers={"Range": f"bytes={first}-{last}"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S, context=context) as answer:
        return answer.status, answer.headers["Content-Range"], answer.read()


def s3(aws: Aws) -> Any:
    return boto.client("s3", aws.url.replace("localhost", "127.0.0.1"))


@pytest.fixture
def role(aws: Aws) -> str:
    """One that AWS IoT may assume, and that may read objects, as publish's help asks for."""
    if aws.name == "local":
        return aws.role
    iam = boto.client("iam", aws.url)
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName="releases", AssumeRolePolicyDocument=json.dumps(ASSUMED_BY_IOT))
    reads = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [reads]})
    iam.put_role_policy(RoleName="releases", PolicyName="reads", PolicyDocument=policy)
    return str(iam.get_role(RoleName="releases")["Role"]["Arn"])


def test_publish(aws: Aws, folder: Path, release: Run, role: str) -> None:
    aws.iot.create_thing(thingName="published")
    s3(aws).create_bucket(Bucket="my-releases")
    root = ("--root", folder.parent / "root")
    how = (
        "--rollout-per-minute",
        50,
        "--abort-at",
        10,
        "--abort-min",
        5,
        "--retries",
        1,
        "--timeout-min",
        60,
    )
    place = ("--bucket", "my-releases", "--role", role)
    missing = release(
        "publish", folder, "--thing", "published", *root, "--bucket", "none-such", "--role", role
    )
    assert missing.status == 1 and "bucket none-such is not there" in missing.failure["text"]
    made = release("publish", folder, "--thing", "published", *root, *place, *how)
    assert made.status == 0, made.err
    job_id, key = made.value["jobId"], made.value["key"]
    assert s3(aws).get_object(Bucket="my-releases", Key=key)["Body"].read() == DATA
    job = aws.iot.describe_job(jobId=job_id)["job"]
    assert job["presignedUrlConfig"] == {"roleArn": role, "expiresInSec": 3600}
    data = aws.client("iot-jobs-data")
    execution = data.describe_job_execution(jobId="$next", thingName="published")["execution"]
    document = json.loads(execution["jobDocument"])
    url, span = document["url"], f"bytes 1000-1999/{len(DATA)}"
    assert "X-Amz-Signature=" in url and "X-Amz-Security-Token=" in url
    assert part(aws, url, 1000, 1999) == (206, span, DATA[1000:2000])
    if aws.name == "ministack":  # whose S3 knows boto3's keys; the local one knows its own alone
        signer = boto.client("s3", aws.url, signature_version="s3v4")
        own = signer.generate_presigned_url("get_object", {"Bucket": "my-releases", "Key": key})
        assert part(aws, own, 1000, 1999) == (206, span, DATA[1000:2000])
    data.update_job_execution(jobId=job_id, thingName="published", status="SUCCEEDED")
    watched = release("watch", job_id, "--wait", PATIENCE)
    assert watched.status == 0, watched.err
    assert watched.value == {"jobId": job_id, "status": "COMPLETED", "things": ["published"]}


def test_a_failure_is_told(aws: Aws, folder: Path, release: Run, role: str) -> None:
    aws.iot.create_thing(thingName="failing")
    s3(aws).create_bucket(Bucket="more-releases")
    place = ("--bucket", "more-releases", "--role", role)
    made = release("publish", folder, "--thing", "failing", "--root", folder.parent / "root", *place)
    assert made.status == 0, made.err
    aws.client("iot-jobs-data").update_job_execution(
        jobId=made.value["jobId"], thingName="failing", status="FAILED", statusDetails={"reason": "no room"}
    )
    watched = release("watch", made.value["jobId"], "--wait", PATIENCE)
    assert watched.status == 1 and "failing: FAILED reason=no room" in watched.failure["text"]
