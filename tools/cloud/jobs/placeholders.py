"""What a job's document has in place of S3 URLs, filled when a device asks for the document."""

import json
import re
from collections.abc import Callable

Presign = Callable[[str, int], str]
"""Makes of an S3 object's URL one that anybody may fetch for some seconds."""

DEFAULT_EXPIRY_S = 3600
_PRESIGNED = re.compile(r"\$\{aws:iot:s3-presigned-url(?:-v2)?:([^}]*)\}")
_PACKAGE = re.compile(r"\$\{aws:iot:(?!s3-presigned-url)[^}]*\}")


def unsigned(url: str, expires_s: int) -> str:
    """Where nothing signs: the URL as it stands."""
    return url


def fill(document: str, presign: Presign, expires_s: int) -> str:
    """The document, a JSON text, with a URL in the place of each `${aws:iot:s3-presigned-url:URL}`."""
    if "s3-presigned-url" not in document:
        return document
    plain = json.dumps(json.loads(document), ensure_ascii=False)  # without escapes that need not be
    return _PRESIGNED.sub(lambda found: json.dumps(presign(found[1], expires_s))[1:-1], plain)


def remarks(document: str, signs: bool, role: bool = True) -> list[str]:
    """What is said to who creates a job with this document, with or without a role that reads S3."""
    said = []
    if not role and _PRESIGNED.search(document):
        said.append("presignedUrlConfig.roleArn: is missing, and AWS refuses a document with S3 URLs without")
    if not signs and _PRESIGNED.search(document):
        said.append("document: S3 URLs are handed out as they are, nothing signs them here")
    if found := _PACKAGE.search(document):
        said.append(f"document: {found[0][:80]} is not replaced here")
    return said
