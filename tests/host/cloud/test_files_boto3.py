"""S3 by others' clients: boto3 and the aws CLI put and read objects, botocore signs as the cloud does."""

import datetime as dt
import hashlib
import json
import ssl
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.host.cloud.support import Clock
from tests.patience import PATIENCE_S
from tests.peers import boto
from tests.peers.cloud_thread import CloudThread
from tools.cloud.s3.objects import MOST_BYTES
from tools.cloud.s3.presigned import Signer

AWS = Path(sysconfig.get_path("scripts")) / "aws"
DATA = bytes(range(256)) * 1000


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudThread]:
    with CloudThread(tmp_path_factory.mktemp("cloud"), rest_port=0, files_port=0) as running:
        yield running


@pytest.fixture(scope="module")
def url(cloud: CloudThread) -> str:
    """By its address, with which boto3 has buckets in the path."""
    return cloud.call(lambda it: it.rest_url).replace("localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def s3(url: str) -> Any:
    client = boto.client("s3", url)
    client.create_bucket(Bucket="releases")
    return client


def test_what_botocore_has_signed_may_be_put_and_nothing_else(cloud: CloudThread, s3: Any) -> None:
    """By the files' port, with the headers that are part of the signature; then it is among the keys."""
    key_id, secret, token = cloud.call(lambda it: it.s3.credentials())
    place = f"https://localhost:{cloud.call(lambda it: it.files_port)}"
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    keys = {"aws_access_key_id": key_id, "aws_secret_access_key": secret, "aws_session_token": token}
    signs = boto3.client("s3", "us-east-1", endpoint_url=place, config=config, **keys)
    name = {"Bucket": "releases", "Key": "up/ü b.jpg", "ContentType": "image/jpeg"}
    url = signs.generate_presigned_url("put_object", Params=name, ExpiresIn=60)

    def put(url: str, kind: str, data: bytes = DATA) -> int:
        context = ssl.create_default_context(cafile=str(cloud.root_ca))
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S, context=context) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            return error.code

    assert put(url, "text/html") == put(url.replace("up/", "down/"), "image/jpeg") == 403
    assert put(url.replace("content-type%3Bhost", "content-type"), "image/jpeg") == 403
    assert put(url.replace("content-type%3Bhost", ""), "image/jpeg") == 403
    assert put(url, "image/jpeg", bytes(MOST_BYTES + 1)) == 400
    assert s3.list_objects_v2(Bucket="releases", Prefix="up/")["KeyCount"] == 0
    assert put(url, "image/jpeg") == 200
    s3.put_object(Bucket="releases", Key="up/a", Body=b"1")
    found = s3.list_objects_v2(Bucket="releases", Prefix="up/")
    assert [(one["Key"], one["Size"]) for one in found["Contents"]] == [
        ("up/a", 1),
        ("up/ü b.jpg", len(DATA)),
    ]
    first = s3.list_objects_v2(Bucket="releases", Prefix="up/", MaxKeys=1)
    assert first["IsTruncated"] and [one["Key"] for one in first["Contents"]] == ["up/a"]
    assert s3.get_object(Bucket="releases", Key="up/ü b.jpg")["Body"].read() == DATA


def code(error: "pytest.ExceptionInfo[ClientError]") -> tuple[str, int]:
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    "key", ["a", "product/1.0+2/firmware.pack", "ü x/%41/~'()*", "../../ca.key", "k" * 1024]
)
@pytest.mark.parametrize("data", [b"", DATA], ids=["nothing", "much"])
def test_put_and_read(cloud: CloudThread, s3: Any, key: str, data: bytes) -> None:
    etag = f'"{hashlib.md5(data).hexdigest()}"'
    assert s3.put_object(Bucket="releases", Key=key, Body=data, ChecksumAlgorithm="SHA256")["ETag"] == etag
    head = s3.head_object(Bucket="releases", Key=key)
    assert (head["ContentLength"], head["ETag"]) == (len(data), etag)
    found = s3.get_object(Bucket="releases", Key=key)
    assert (found["Body"].read(), found["ETag"]) == (data, etag)
    served = cloud.call(lambda it: it.s3.url("localhost", f"/releases/{key}", 60))
    assert fetched(cloud, served) == data


def fetched(cloud: CloudThread, url: str) -> bytes:
    context = ssl.create_default_context(cafile=str(cloud.root_ca))
    with urllib.request.urlopen(url, timeout=PATIENCE_S, context=context) as answer:
        data: bytes = answer.read()
        return data


def test_buckets(s3: Any) -> None:
    s3.create_bucket(Bucket="releases")  # one's own again: as in us-east-1
    s3.head_bucket(Bucket="releases")
    with pytest.raises(ClientError) as error:
        s3.head_bucket(Bucket="nowhere")
    assert code(error) == ("404", 404)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="nowhere", Key="a", Body=b"")
    assert code(error) == ("NoSuchBucket", 404)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="releases", Key="nothing")
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket="releases", Key="nothing")
    assert code(error) == ("404", 404)


def test_what_is_refused(s3: Any) -> None:
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="releases", Key="big", Body=bytes(MOST_BYTES + 1))
    assert code(error) == ("EntityTooLarge", 400)
    s3.put_object(Bucket="releases", Key="big", Body=bytes(MOST_BYTES))
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="releases", Key="a", Body=b"x", ChecksumSHA256="A" * 43 + "=")
    assert code(error) == ("BadDigest", 400)
    for absent in (
        lambda: s3.list_objects_v2(Bucket="releases", Delimiter="/"),
        s3.list_buckets,
        lambda: s3.delete_object(Bucket="releases", Key="a"),
        lambda: s3.copy_object(Bucket="releases", Key="b", CopySource="releases/a"),
        lambda: s3.create_multipart_upload(Bucket="releases", Key="b"),
    ):
        with pytest.raises(ClientError) as error:
            absent()
        assert code(error) == ("NotImplemented", 501)


def test_a_web_page_has_nothing_of_it(cloud: CloudThread, url: str) -> None:
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request", "Origin": "https://x.org"}
    request = urllib.request.Request(f"{url}/releases/a", b"x", signed, method="PUT")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE_S)
    assert refused.value.code == 403


def test_the_cli(url: str, tmp_path: Path) -> None:
    (tmp_path / "firmware.pack").write_bytes(DATA)

    def aws(*arguments: str) -> str:
        command = [sys.executable, str(AWS), "--endpoint-url", url, *arguments]
        return subprocess.run(
            command,
            env=boto.environment(tmp_path),
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
            cwd=tmp_path,
        ).stdout

    aws("s3", "mb", "s3://by-hand")
    aws("s3", "cp", "firmware.pack", "s3://by-hand/1.0/")
    head = json.loads(aws("s3api", "head-object", "--bucket", "by-hand", "--key", "1.0/firmware.pack"))
    assert head["ContentLength"] == len(DATA)
    aws("s3", "cp", "s3://by-hand/1.0/firmware.pack", "back")
    assert (tmp_path / "back").read_bytes() == DATA


@pytest.mark.parametrize("path", ["/releases/a", "/releases/ü x/%41/~'()*+.pack"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_botocore_makes_the_same_url(method: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    signer = Signer(clock)
    now = dt.datetime.fromtimestamp(clock.now_s, dt.UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now)
    credentials = Credentials(signer._key_id, signer._secret, signer._token)
    request = AWSRequest(method, f"https://localhost:8885{urllib.parse.quote(path, safe='/~')}")
    botocore.auth.S3SigV4QueryAuth(credentials, "s3", "us-east-1", 77).add_auth(request)
    theirs = parse_qs(urlsplit(request.url).query, strict_parsing=True)
    ours = parse_qs(signer.query(method, "localhost:8885", path, 77), strict_parsing=True)
    assert ours == theirs
    signer.check(method, path, urlsplit(request.url).query, {"host": "localhost:8885"})
