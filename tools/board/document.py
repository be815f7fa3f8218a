"""Configuration files: a board's JSON, whose certificates and keys may be files beside it."""

import argparse
import base64
import json
import os
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from tools.sim.cpython import micropython

from .errors import BoardError, writing
from .trust import Finding, findings

# The one validator there is runs on the device; all it needs of MicroPython is `const`.
sys.modules.setdefault("micropython", micropython)
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

from iot.config import CLOUDS, ConfigError, validate  # noqa: E402
from iot.crypto import pem  # noqa: E402

_ANY_WIFI = [{"ssid": "any"}]  # stands for the network that whoever sets a device up will choose
_FILE_MAX = 65_536  # bytes; a certificate has 2,000
_CORRECT = "Correct it: docs/configuration.md tells what each member may be."
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # the byte order marks of what Windows writes
_PEM_MEMBERS = ("root_ca", "claim_certificate", "claim_key", "certificate", "key")
_KEY_LABELS = ("EC PRIVATE KEY", "RSA PRIVATE KEY", "PRIVATE KEY")
_PEM = "The member holds PEM text, or the name of a PEM file relative to the JSON's folder."


def load(path: Path, wifi: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """Read and validate a configuration file; its certificates and keys come back as plain PEM.

    A member of the cloud's section that is for a certificate or a key holds its PEM text, or the name of a
    PEM file, relative to the folder of `path`. A name has a dot in it: base64 has none, so that a key that
    lost its first line is not taken for a name and shown.

    Args:
        path: the file.
        wifi: the networks, in place of those of the file; a product file has none.

    Raises:
        BoardError: it cannot be read, is not valid, or cannot lead to a connection (tools.board.trust); names
            the place, never quotes a secret.
    """
    document = _load(path)
    if wifi and isinstance(document, dict):
        document["wifi"] = wifi
    elif isinstance(document, dict) and cloud_of(document) in document and "wifi" not in document:
        raise BoardError(f"{path}: wifi: missing", "Name the network there, or by --wifi SSID:PASSWORD.")
    _validate(path, document)
    return document


def warnings(document: dict[str, Any]) -> list[str]:
    """What may stand in the way of a document that `load` gave, each with its remedy."""
    return [f"{finding}. {finding.remedy}" for finding in _findings(document) if not finding.is_error]


def load_product(path: Path) -> dict[str, Any]:
    """Read and validate a product file, or what a configuration file has beside its `wifi`, which is dropped.

    Raises:
        BoardError: as for `load`.
    """
    document = _load(path)
    if isinstance(document, dict):
        wifi = document.pop("wifi", _ANY_WIFI)
        _validate(path, {**document, "wifi": wifi})
    else:
        _validate(path, document)
    return document


def product_warnings(product: dict[str, Any]) -> list[str]:
    """`warnings` of what `load_product` gave."""
    return warnings({**product, "wifi": _ANY_WIFI})


def _load(path: Path) -> Any:
    """The document with PEM texts in place of files' names, not validated yet."""
    try:
        document = json.loads(read(path, f"{path}", "Name the JSON file that has the configuration."))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BoardError(f"{path}: not JSON at {place}: {error.msg}", _CORRECT) from None
    except RecursionError:
        raise BoardError(f"{path}: nested too deep", _CORRECT) from None
    return with_pem(path, document)


def with_pem(path: Path, document: Any) -> Any:
    """`document`, as it would stand in `path`, its certificates and keys being plain PEM and nothing else.

    Raises:
        BoardError: a file that it names cannot be read, or has none.
    """
    kind = cloud_of(document)
    section = document[kind] if isinstance(document, dict) and isinstance(document.get(kind), dict) else {}
    for member in _PEM_MEMBERS:
        value = section.get(member)
        if isinstance(value, str) and "." in value and "-----BEGIN" not in value:
            file = path.parent / value
            section[member] = read(file, f"{path}: {kind}.{member}: {file}", _PEM)
        if isinstance(section.get(member), str):
            try:
                section[member] = _clean(member, section[member])
            except ValueError as error:
                raise BoardError(f"{path}: {kind}.{member}: {error}", _CORRECT) from None
    return document


def cloud_of(document: Any) -> str:
    """The name of the section that is a cloud's; "aws" where there is none."""
    found = [name for name in CLOUDS if isinstance(document, dict) and name in document]
    return found[0] if found else "aws"


def endpoint_of(product: dict[str, Any]) -> str:
    """What devices with a valid product, or configuration, will call."""
    return str(validate({"wifi": _ANY_WIFI, **product})[cloud_of(product)]["endpoint"])


def _clean(member: str, text: str) -> str:
    """The certificates, or the key, that are somewhere in `text`, and nothing else."""
    is_key = member.endswith("key")
    found = (
        pem.certificates(text) if member == "root_ca" else [(pem.key if is_key else pem.certificate)(text)]
    )
    label = next(label for label in _KEY_LABELS if f"BEGIN {label}-" in text) if is_key else "CERTIFICATE"
    return "".join(_wrapped(label, der) for der in found)


def _wrapped(label: str, der: bytes) -> str:
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))


def save(path: Path, document: dict[str, Any]) -> None:
    """Write a configuration file, its certificates and keys in PEM files beside it, for the owner alone.

    The JSON comes last and in one step: where it is, its files are.

    Raises:
        BoardError: the document is not valid, or the files cannot be written.
    """
    _validate(path, document)
    kind = cloud_of(document)
    section = dict(document[kind])
    with writing(path):
        for member in _PEM_MEMBERS:
            if member in section:
                file = path.with_name(f"{path.stem}.{member}.pem")
                _write(file, section[member])
                section[member] = file.name
        _write(path, json.dumps({**document, kind: section}, indent=2) + "\n")


def save_product(path: Path, product: dict[str, Any]) -> None:
    """Write a product file, a single one with its certificates and keys inside, for the owner alone.

    Raises:
        BoardError: the product is not valid, or the file cannot be written.
    """
    _validate(path, {**product, "wifi": _ANY_WIFI})
    with writing(path):
        _write(path, json.dumps(product, indent=2) + "\n")


def add_networks(parser: argparse.ArgumentParser) -> None:
    """Declare the option --wifi, whose value `load` takes."""
    parser.add_argument(
        "--wifi",
        metavar="SSID:PASSWORD",
        action="append",
        type=network,
        help="a network in place of those of FILE; SSID: is an open one; may be repeated",
    )


def network(text: str) -> dict[str, str]:
    """The network that an argument `SSID:PASSWORD` names; argparse's error where it is none."""
    ssid, colon, password = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError("must be SSID:PASSWORD, or SSID: for an open network")
    return {"ssid": ssid, "password": password}


def _validate(path: Path, document: object) -> None:
    try:
        found = _findings(document)
    except ConfigError as error:
        raise BoardError(f"{path}: {error}", _CORRECT) from None
    if found and found[0].is_error:
        raise BoardError(f"{path}: {found[0]}", found[0].remedy)


def _findings(document: object) -> list[Finding]:
    return findings(validate(document))


def read(path: Path, what: str, remedy: str) -> str:
    """The text of a file; a BoardError of `what` and `remedy` where it cannot be had."""
    try:
        if not path.is_file():  # nor what would never end, such as a port
            reason = "no file" if path.exists() else "no such file"
        elif path.stat().st_size > _FILE_MAX:
            reason = f"more than {_FILE_MAX} bytes"
        else:
            data = path.read_bytes()
            return data.decode("utf-16" if data[:2] in _UTF_16 else "utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: it is not UTF-8
        reason = getattr(error, "strerror", None) or "no text"
    raise BoardError(f"{what}: {reason}", remedy)


def _write(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # its mode is 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
