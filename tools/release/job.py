"""What a job says that brings an update or a root, as docs/updates.md has it."""

import json
from collections.abc import Iterable
from typing import Any

from .signatures import Signature

EXPIRES_S = 3600  # of a URL, the longest that AWS IoT makes; a device may ask for another
# Of the local cloud, where nobody looks at the role.
LOCAL_BUCKET = "releases"
STREAM_FILE = 0  # a file's number in its stream
LOCAL_ROLE = "arn:aws:iam::123456789012:role/releases"


def document(
    text: bytes,
    signatures: Iterable[Signature],
    url: str = "",
    stream: str = "",
    delta: dict[str, Any] | None = None,
) -> str:
    """The job's document.

    Args:
        text: what was signed, a manifest or a root.
        signatures: of it.
        url: of a manifest's file, as `url` makes it; "" for a root.
        stream: the id of the stream that has the file, in place of a URL.
        delta: where a device may get a patch in its place: the `base` that it is for, its `size`, and `url`.
    """
    members: dict[str, Any] = {"action": "OTA"}
    members["manifest" if url or stream else "root"] = text.decode()
    members["signatures"] = [str(one) for one in signatures]
    if stream:
        members["stream"] = {"id": stream, "file": STREAM_FILE}
    elif url:
        members["url"] = _signed(url)
    if delta:
        members["delta"] = {**delta, "url": _signed(delta["url"])}
    return json.dumps(members)


def _signed(url: str) -> str:
    """In whose place AWS IoT puts one that opens the file, for each device its own."""
    return f"${{aws:iot:s3-presigned-url:{url}}}"


def url(bucket: str, key: str, region: str) -> str:
    """An object's, in the form that AWS IoT signs for each device."""
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://s3.{region}.{domain}/{bucket}/{key}"


def presigned(role: str = LOCAL_ROLE) -> dict[str, Any]:
    """How the URL is signed, as CreateJob takes it."""
    return {"roleArn": role, "expiresInSec": EXPIRES_S}
