"""The product file of an account: what the phone's page, `configure` and `station` take."""

import re
from pathlib import Path
from typing import Any

import botocore

from tools.board import document
from tools.board.errors import BoardError
from tools.thing.account import Account

# The third's key is P-256, which costs a device least; the first is S3's (docs/memory.md).
_ROOTS = ("Amazon Root CA 3", "Amazon Root CA 1")
_LABELLED = re.compile(
    r'^# Label: "([^"]+)"\n(?:#.*\n)*(-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----)',
    re.MULTILINE,
)


def product(
    account: Account, template: str, endpoint: str | None, port: int | None, root: Path | None
) -> dict[str, Any]:
    """All of a product file but its claim.

    Args:
        account: whose endpoint it is.
        template: the provisioning template's name.
        endpoint: in place of the account's own, where it is not Amazon's AWS.
        port: as well.
        root: PEM file of the certificates that devices trust; None: Amazon's.
    """
    if endpoint is None:
        told = account.iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
        endpoint = told.partition(":")[0]  # AWS tells no port, others may: it is not MQTT's
    aws: dict[str, Any] = {"endpoint": endpoint, "template": template}
    if port is not None:
        aws["port"] = port
    aws["root_ca"] = document.read(root, f"{root}", "Name a PEM file.") if root else amazon_roots()
    return {"aws": aws}


def amazon_roots() -> str:
    """PEM, from the certificates that boto3 itself trusts."""
    trusted = Path(botocore.__file__).with_name("cacert.pem").read_text()
    found = dict(_LABELLED.findall(trusted))
    if missing := [name for name in _ROOTS if name not in found]:
        raise BoardError(f"boto3 does not bring {missing[0]}", "Name the file that has it: --root FILE.")
    return "".join(f"{found[name]}\n" for name in _ROOTS)
