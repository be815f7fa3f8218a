"""umqtt.simple itself, as the package index has it, on CPython."""

import hashlib
import importlib.util
import socket
import ssl
import struct
import sys
import tarfile
import types
from binascii import hexlify
from pathlib import Path
from typing import Any

from pypi_simple import PyPISimple

VERSION = "1.3.4"
_PROJECT = "micropython-umqtt.simple"
_MEMBER = f"{_PROJECT}-{VERSION}/umqtt/simple.py"
_SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"
_CACHE = Path(__file__).resolve().parents[2] / "build/umqtt"


class FetchError(Exception):
    """umqtt.simple could not be had."""


class _Socket:
    """A blocking socket that is a stream, as in MicroPython."""

    def __init__(self, plain: socket.socket | None = None) -> None:
        self.plain = plain or socket.socket()

    def connect(self, address: tuple[str, int]) -> None:
        self.plain.connect(address)
        # Each of its publishes is several writes: with Nagle's algorithm it would be slower still.
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (part := self.plain.recv(size - len(data))):
            data += part
        return data

    def write(self, data: bytes, size: int | None = None) -> None:
        self.plain.sendall(data[:size])

    def setblocking(self, blocking: bool) -> None:
        self.plain.setblocking(blocking)

    def close(self) -> None:
        self.plain.close()


def _wrap_socket(stream: _Socket, context: ssl.SSLContext, server_hostname: str) -> _Socket:
    return _Socket(context.wrap_socket(stream.plain, server_hostname=server_hostname))


def client_class() -> Any:
    """Its class MQTTClient. `ssl_params` takes `context` and `server_hostname`. Raises FetchError."""
    shims: dict[str, dict[str, Any]] = {
        "usocket": {"socket": _Socket, "getaddrinfo": socket.getaddrinfo},
        "ussl": {"wrap_socket": _wrap_socket},
        "ustruct": {"pack": struct.pack, "pack_into": struct.pack_into},
        "ubinascii": {"hexlify": hexlify},
    }
    for name, contents in shims.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(contents)
    spec = importlib.util.spec_from_file_location("umqtt_simple", source())
    if spec is None or spec.loader is None:
        raise FetchError("umqtt.simple cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MQTTClient


def source() -> Path:
    """The path of its only module, downloaded the first time. Raises FetchError."""
    archive = _CACHE / f"{_PROJECT}-{VERSION}.tar.gz"
    if not archive.exists():
        _download(archive)
    if hashlib.sha256(archive.read_bytes()).hexdigest() != _SHA256:
        archive.unlink()
        raise FetchError(f"{archive.name} is not what it should be: its SHA-256 differs")
    with tarfile.open(archive) as tar:
        member = tar.extractfile(_MEMBER)
        if member is None:
            raise FetchError(f"{archive.name} has no {_MEMBER}")
        path = _CACHE / "umqtt_simple.py"
        path.write_bytes(member.read())
    return path


def _download(archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    try:
        with PyPISimple() as index:
            packages = index.get_project_page(_PROJECT).packages
            package = next(package for package in packages if package.filename == archive.name)
            index.download_package(package, archive, timeout=60)
    except (OSError, StopIteration) as error:
        raise FetchError(f"{archive.name} could not be downloaded: {error}") from error
