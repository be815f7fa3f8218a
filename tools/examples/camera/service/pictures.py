"""The pictures in their bucket: `pictures/THING/ID.jpg`, and `cameras/THING` for each that was online."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from . import ids

HEADERS = {"Content-Type": "image/jpeg"}
"""What a camera sends with a picture: a part of the URL's signature."""
SHOWN = 24  # pictures of one camera
THROUGH_LAMBDA_BYTES = 4_000_000  # whose answers have 6 MB at most, in base64
_LOOK_S = 300  # of a URL to a picture that is larger
_CAMERAS = "cameras/"


class Picture(NamedTuple):
    """One that is there; `made_ms` is when it was asked for."""

    id: str
    made_ms: int
    size: int


class Found(NamedTuple):
    """A picture's bytes, or where it is to be had."""

    data: bytes
    etag: str
    url: str


class Pictures:
    """One bucket's.

    Args:
        s3: botocore's client.
        signs: another, for the address that cameras reach.
        bucket: its name.
        most_bytes: of a picture that goes through this service; for a larger one there is a URL.
    """

    def __init__(self, s3: Any, signs: Any, bucket: str, most_bytes: int = THROUGH_LAMBDA_BYTES) -> None:
        self._s3, self._signs, self._bucket = s3, signs, bucket
        self._most_bytes = most_bytes

    def upload_url(self, thing: str, snapshot: str, seconds: int) -> str:
        """Where that one picture may be put, by PUT and with HEADERS, and nothing else may be done."""
        place = {"Bucket": self._bucket, "Key": _key(thing, snapshot), "ContentType": HEADERS["Content-Type"]}
        url: str = self._signs.generate_presigned_url("put_object", Params=place, ExpiresIn=seconds)
        return url

    def listed(self, thing: str) -> list[Picture]:
        """The newest of a camera, the newest first: their ids sort so."""
        prefix = f"pictures/{thing}/"
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=SHOWN)
        pictures = []
        for one in found.get("Contents", []):
            snapshot = one["Key"].removeprefix(prefix).removesuffix(".jpg")
            if (made := ids.made_ms(snapshot)) is not None:
                pictures.append(Picture(snapshot, made, one["Size"]))
        return pictures

    def find(self, thing: str, snapshot: str) -> Found | None:
        """One; None where there is none."""
        place = {"Bucket": self._bucket, "Key": _key(thing, snapshot)}
        try:
            found = self._s3.get_object(**place)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            return None
        with found["Body"] as body:
            if found["ContentLength"] > self._most_bytes:
                url = self._signs.generate_presigned_url("get_object", Params=place, ExpiresIn=_LOOK_S)
                return Found(b"", found["ETag"], url)
            return Found(body.read(), found["ETag"], "")

    def origin(self) -> str:
        """Where the URLs of larger pictures lead, for the page's Content-Security-Policy."""
        parts = urlsplit(self._signs.generate_presigned_url("head_bucket", Params={"Bucket": self._bucket}))
        return f"{parts.scheme}://{parts.netloc}"

    def note(self, thing: str) -> None:
        """Remember that this camera was online."""
        self._s3.put_object(Bucket=self._bucket, Key=_CAMERAS + thing, Body=b"")

    def cameras(self) -> Iterator[tuple[str, int]]:
        """(thing, seconds since 1970 when it came online) of each, a thousand at most."""
        for one in self._s3.list_objects_v2(Bucket=self._bucket, Prefix=_CAMERAS).get("Contents", []):
            yield one["Key"].removeprefix(_CAMERAS), int(one["LastModified"].timestamp())


def _key(thing: str, snapshot: str) -> str:
    return f"pictures/{thing}/{snapshot}.jpg"
