"""umqtt.simple itself: as the package index has it, and as MicroPython's image has it frozen."""

import hashlib
import os
import tarfile
from pathlib import Path

from pypi_simple import PyPISimple

VERSION = "1.3.4"
FROZEN = Path(__file__).resolve().parents[1] / "build/frozen"  # where simulated chips find it
_PROJECT = "micropython-umqtt.simple"
_MEMBER = f"{_PROJECT}-{VERSION}/umqtt/simple.py"
_SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"
_CACHE = Path(__file__).resolve().parents[1] / "build/umqtt"
# What 1.6, of MicroPython 1.25, has otherwise: modules without the u, a deadline, and an SSLContext that is
# given. The index has nothing newer than 1.3.4; in all else that a device uses the two are the same.
_SINCE = (
    ("import usocket as socket", "import socket"),
    ("import ustruct as struct", "import struct"),
    ("from ubinascii import", "from binascii import"),
    ("def connect(self, clean_session=True):", "def connect(self, clean_session=True, timeout=None):"),
    ("self.sock = socket.socket()", "self.sock = socket.socket()\n        self.sock.settimeout(timeout)"),
    ("            import ussl\n", ""),
    ("ussl.wrap_socket(self.sock, **self.ssl_params)",
     "self.ssl.wrap_socket(self.sock, server_hostname=self.server)"),
)  # fmt: skip


class FetchError(Exception):
    """umqtt.simple could not be had."""


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
        _write(path, member.read())
    return path


def freeze() -> None:
    """Have simulated chips find it as `umqtt.simple`, with what 1.6 has otherwise. Raises FetchError."""
    text = source().read_text()
    for before, after in _SINCE:
        if text.count(before) != 1:
            raise FetchError(f"umqtt.simple {VERSION} is another than the known one: {before}")
        text = text.replace(before, after)
    (FROZEN / "umqtt").mkdir(parents=True, exist_ok=True)
    _write(FROZEN / "umqtt/simple.py", text.encode())


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: tests run side by side."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_bytes(data)
    new.replace(path)


def _download(archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    new = archive.with_name(f"{archive.name}.{os.getpid()}")
    try:
        with PyPISimple() as index:
            packages = index.get_project_page(_PROJECT).packages
            package = next(package for package in packages if package.filename == archive.name)
            index.download_package(package, new, timeout=60)
        new.replace(archive)
    except (OSError, StopIteration) as error:
        raise FetchError(f"{archive.name} could not be downloaded: {error}") from error
