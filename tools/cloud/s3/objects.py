"""Objects as files: a folder for each bucket, in it a file for each key."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tools.atomic import write_atomic

from .errors import S3Error

MOST_BYTES = 8 * 1024 * 1024
"""Of one object: an image has half of it."""

_MOST_KEY_BYTES = 1024
_ETAGS = 256
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Object:
    """One that is open: it stays as it is, whatever is put in its place meanwhile."""

    file: BinaryIO
    size: int
    etag: str
    modified_s: float

    def read(self, first: int, count: int) -> bytes:
        self.file.seek(first)
        return self.file.read(count)

    def __enter__(self) -> "Object":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


class Objects:
    """All of them below one folder. A file's name is the SHA-256 of its key: no key leads out of it. The key
    itself is in a second file, of that name and `.key`.

    Args:
        folder: made with the first bucket.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._etags: dict[tuple[int, int, int], str] = {}  # by inode, time and size

    def create_bucket(self, bucket: str) -> None:
        """Make it, where it is not there. Raises S3Error."""
        if not _BUCKET.fullmatch(bucket):
            raise S3Error("InvalidBucketName", 400, "The specified bucket is not valid.", BucketName=bucket)
        with _Failures():
            (self._folder / bucket).mkdir(mode=0o700, parents=True, exist_ok=True)

    def check_bucket(self, bucket: str) -> None:
        """Raises S3Error where there is none of this name."""
        self._in(bucket)

    def put(self, bucket: str, key: str, data: bytes) -> str:
        """Keep it, whole or not at all, in the place of what was there; returns its ETag. Raises S3Error."""
        path = self._path(bucket, key)
        if len(data) > MOST_BYTES:
            raise too_large()
        with _Failures():
            write_atomic(path.with_suffix(".key"), key.encode(), 0o600)
            write_atomic(path, data, 0o600)
        return _etag(data)

    def listed(self, bucket: str, prefix: str) -> list[tuple[str, int, float]]:
        """(key, size, seconds since 1970) of those that begin so, in the order of their keys' bytes.

        Raises S3Error. What was put by an earlier version, without its key, is not among them.
        """
        found = []
        with _Failures():
            for file in self._in(bucket).glob("*.key"):
                key, put = file.read_bytes(), file.with_suffix("")
                if key.startswith(prefix.encode()) and put.exists():
                    status = put.stat()
                    found.append((key, status.st_size, status.st_mtime))
        return [(key.decode(), size, modified_s) for key, size, modified_s in sorted(found)]

    def open(self, bucket: str, key: str) -> Object:
        """Raises S3Error where it is not there."""
        path = self._path(bucket, key)
        with _Failures():
            try:
                file = path.open("rb")
            except FileNotFoundError:
                raise S3Error("NoSuchKey", 404, "The specified key does not exist.", Key=key) from None
            found = os.fstat(file.fileno())
            content = found.st_ino, found.st_mtime_ns, found.st_size
            if content not in self._etags:
                if len(self._etags) >= _ETAGS:
                    self._etags.clear()
                self._etags[content] = _etag(file.read())
            return Object(file, found.st_size, self._etags[content], found.st_mtime)

    def _in(self, bucket: str) -> Path:
        folder = self._folder / bucket
        if not _BUCKET.fullmatch(bucket) or not folder.is_dir():
            raise S3Error("NoSuchBucket", 404, "The specified bucket does not exist", BucketName=bucket)
        return folder

    def _path(self, bucket: str, key: str) -> Path:
        folder = self._in(bucket)
        try:
            name = key.encode()
        except UnicodeEncodeError:  # bytes of a path that were no UTF-8
            raise S3Error("InvalidURI", 400, "Couldn't parse the specified URI.") from None
        if not 0 < len(name) <= _MOST_KEY_BYTES:
            raise S3Error("KeyTooLongError", 400, "Your key is too long", MaxSizeAllowed=_MOST_KEY_BYTES)
        return folder / hashlib.sha256(name).hexdigest()


def too_large() -> S3Error:
    text = "Your proposed upload exceeds the maximum allowed size"
    return S3Error("EntityTooLarge", 400, text, MaxSizeAllowed=MOST_BYTES)


class _Failures:
    """What the file system says, as S3 says it; its paths are nobody's business."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            text = f"We encountered an internal error ({error.strerror}). Please try again."
            raise S3Error("InternalError", 500, text) from None


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
