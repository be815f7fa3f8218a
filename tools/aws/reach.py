"""Whether an endpoint is reached by TLS with the roots that devices trust, its name verified."""

import os
import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .finding import Finding, fault, ok

_TIMEOUT_S = 10
_WHAT = "TLS"
_ROOT = "Take AmazonRootCA1.pem, and AmazonRootCA3.pem, of https://www.amazontrust.com/repository/"
_NAME = (
    "Have the product name the endpoint that DescribeEndpoint tells: python3 -m tools aws up --claim BATCH"
)


def tls(aws: Mapping[str, Any]) -> Iterator[Finding]:
    """A handshake as a device's: its roots, its server's name, and its claim's certificate where it has one.

    Args:
        aws: that section of a product, its PEM texts inside.
    """
    host, port = aws["endpoint"], aws.get("port", 8883)
    place = f"{host} port {port}"
    try:
        context = ssl.create_default_context(cadata=aws["root_ca"])
        with _identity(aws) as files:
            if files:
                context.load_cert_chain(files[0], files[1])
            with (
                socket.create_connection((host, port), _TIMEOUT_S) as raw,
                context.wrap_socket(raw, server_hostname=host) as done,
            ):
                version = done.version()
    except ssl.SSLCertVerificationError as error:
        name = "mismatch" in error.verify_message.lower()
        text = f"{place}: its certificate is not taken: {error.verify_message}"
        yield fault(_WHAT, text, _NAME if name else _ROOT)
    except ssl.SSLError as error:
        remedy = "Is the claim's certificate whole, and of this account? python3 -m tools aws claim"
        yield fault(_WHAT, f"{place}: no handshake: {error.reason or error}", remedy)
    except OSError as error:
        remedy = "Does a firewall here keep port 8883 in? Devices need it, too."
        yield fault(_WHAT, f"{place}: not reached: {error.strerror or error}", remedy)
    else:
        yield ok(_WHAT, f"{place}: {version} with the product's root, its name verified")


@contextmanager
def _identity(aws: Mapping[str, Any]) -> Iterator[list[Path]]:
    """Files of the claim's certificate and key, for as long as `ssl` reads them: it takes no text."""
    if "claim_key" not in aws:
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:  # the owner's alone
        files = [Path(folder, name) for name in ("certificate", "key")]
        for file, member in zip(files, ("claim_certificate", "claim_key"), strict=True):
            with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as text:
                text.write(aws[member])
        yield files
