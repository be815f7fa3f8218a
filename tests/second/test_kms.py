"""Updates signed by a key in AWS KMS: in ministack's, by boto3 as for AWS."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from iot.crypto import p256  # the device's own

from tests.peers import boto
from tests.second.aws import Aws
from tools.board.errors import BoardError
from tools.release import signatures
from tools.release.keys import Keys
from tools.release.roots import key_id

ALIAS = "alias/build-server"


@pytest.fixture
def kms(another: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Makes a key, and returns its id; boto3 finds this cloud as it would find AWS."""
    for name, value in boto.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", another.url)

    def create(spec: str = "ECC_NIST_P256", usage: str = "SIGN_VERIFY") -> str:
        made = boto.client("kms", another.url).create_key(KeySpec=spec, KeyUsage=usage)
        return str(made["KeyMetadata"]["KeyId"])

    return create


async def test_a_key_signs_and_the_device_takes_it(kms: Callable[..., str], another: Aws) -> None:
    name = kms()
    boto.client("kms", another.url).create_alias(AliasName=ALIAS, TargetKeyId=name)
    for called in (name, ALIAS):
        signer = Keys().signer(f"awskms:{called}")
        assert signer.public == Keys().public(f"awskms:{name}")
        der = signer.sign(b"iot-update 1\n")
        signatures.read([str(signatures.Signature(key_id(signer.public), der))])
        assert signatures.is_good(signer.public, b"iot-update 1\n", der)
        assert await p256.verify(signer.public, hashlib.sha256(b"iot-update 1\n").digest(), der)


@pytest.mark.parametrize(
    ("spec", "usage"),
    [("ECC_NIST_P384", "SIGN_VERIFY"), ("RSA_2048", "SIGN_VERIFY"), ("RSA_2048", "ENCRYPT_DECRYPT")],
)
def test_another_kind_of_key(kms: Callable[..., str], spec: str, usage: str) -> None:
    with pytest.raises(BoardError, match=f"a key {spec} for {usage}"):
        Keys().signer(f"awskms:{kms(spec, usage)}")


def test_no_such_key(kms: Callable[..., str]) -> None:
    with pytest.raises(BoardError, match="GetPublicKey"):
        Keys().public("awskms:1234abcd-12ab-34cd-56ef-1234567890ab")


def test_who_may_not(kms: Callable[..., str], another: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    name = kms()
    iam = boto.client("iam", another.url)
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    with pytest.raises(BoardError, match="kms:GetPublicKey allowed"):
        Keys().public(f"awskms:{name}")


def test_without_credentials(kms: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BoardError, match="no credentials"):
        Keys().public("awskms:alias/none")
