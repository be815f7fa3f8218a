"""A Lambda function's zip: own modules and installed pure-Python packages, the same bytes for the same input.

    zipped = bundle({"camera": Path("tools/examples/camera/service")}, ("flask", "werkzeug"))
    key = upload(account, "the-bucket", zipped)        # functions/SHA256.zip

Nothing is downloaded. What is compiled for this machine is left out, so that it is never run on another.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath

from botocore.exceptions import ClientError

from tools.board.errors import BoardError
from tools.thing.account import Account
from tools.thing.failures import code, explained

_NATIVE = (".so", ".pyd", ".dylib", ".dll", ".a")
_INSTALLERS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")  # differ from one machine to the next
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
_FILE = 0o100644 << 16


def bundle(modules: Mapping[str, Path], distributions: Sequence[str] = ()) -> bytes:
    """A zip of all that.

    Args:
        modules: by the place in the zip, a file or a folder that goes there.
        distributions: installed ones, by name; without what they need in turn.

    Raises:
        BoardError: a module or distribution is missing, or two give the same file.
    """
    files: dict[str, bytes] = {}
    for place, path in [*_own(modules), *_installed(distributions)]:
        if place in files:
            raise BoardError(f"{path}: {place} is in the bundle already", "Two packages have the same file.")
        files[place] = path.read_bytes()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:  # deflated it would differ by zlib
        for place in sorted(files):
            about = zipfile.ZipInfo(place, _EPOCH)
            about.create_system, about.external_attr = 3, _FILE
            archive.writestr(about, files[place])
    return data.getvalue()


def key(zipped: bytes) -> str:
    """Where it lies in the bucket."""
    return f"functions/{hashlib.sha256(zipped).hexdigest()}.zip"


def upload(account: Account, bucket: str, zipped: bytes) -> str:
    """Put it into the bucket, unless it is there; its key."""
    place = key(zipped)
    with explained(account.where, "s3"):
        try:
            account.s3.head_object(Bucket=bucket, Key=place)
        except ClientError as error:
            if code(error) not in ("404", "NoSuchKey", "NotFound"):
                raise
            account.s3.put_object(Bucket=bucket, Key=place, Body=zipped)
    return place


def _own(modules: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    for place, path in modules.items():
        if path.is_file():
            yield place, path
        elif not path.is_dir():
            raise BoardError(f"{path}: is missing", "It is a part of this project: install it whole.")
        else:
            for file in path.rglob("*"):
                if file.is_file() and _wanted(file.relative_to(path)):
                    yield str(PurePosixPath(place, file.relative_to(path).as_posix())), file


def _installed(distributions: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for name in distributions:
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise BoardError(f"Python's package {name} is not installed", "make setup installs it.") from None
        for file in found.files or ():
            if ".." not in file.parts and file.name not in _INSTALLERS and _wanted(file):
                yield file.as_posix(), Path(str(found.locate_file(file)))


def _wanted(path: PurePosixPath | Path) -> bool:
    return "__pycache__" not in path.parts and path.suffix not in (".pyc", *_NATIVE)
