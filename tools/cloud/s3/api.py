"""Objects put and read by boto3 and the aws CLI, through the control plane's port.

Source: Amazon S3 API reference, CreateBucket, HeadBucket, PutObject, HeadObject, GetObject, ListObjectsV2; by
paths, not by names of hosts.
"""

import base64
import hashlib
import logging
import re
import time
from email.utils import formatdate
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

from aiohttp import web

from .errors import S3Error
from .objects import Objects
from .presigned import decoded
from .sent import body

_PAGE = "1000"  # keys, as S3 has it
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_TYPE = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
_log = logging.getLogger(__name__)


class Api:
    """Answers what a client signs for S3.

    Args:
        objects: what is asked for.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def answer(self, http: web.BaseRequest) -> tuple[web.Response, S3Error | None]:
        """What goes back, and why if it is a refusal."""
        path = http.raw_path.partition("?")[0]
        try:
            return await self._answer(http, decoded(path)), None
        except S3Error as error:
            refused = error
        except Exception:
            _log.exception("%s %s", http.method, path[:200])
            refused = S3Error("InternalError", 500, "an error of this cloud, see its log")
        body = b"" if http.method == "HEAD" else refused.xml(path)
        made = web.Response(status=refused.status, body=body, content_type="application/xml")
        if (
            http.method == "PUT"
        ):  # whose body may be still to come, or never, where the client has asked before
            made.force_close()
        return made, refused

    async def _answer(self, http: web.BaseRequest, path: str) -> web.Response:
        query = dict(parse_qsl(http.query_string, keep_blank_values=True))
        query.pop("x-id", None)
        bucket, _, key = path.removeprefix("/").partition("/")
        if http.method == "GET" and bucket and not key and query.pop("list-type", "") == "2":
            return self._list(http, bucket, query)
        if not bucket or query or "x-amz-copy-source" in http.headers:
            raise _absent(http)
        if not key:
            return self._bucket(http, bucket)
        match http.method:
            case "PUT":
                return web.Response(headers={"ETag": await self._put(http, bucket, key)})
            case "GET" | "HEAD":
                with self._objects.open(bucket, key) as found:
                    headers = {**_TYPE, "ETag": found.etag}
                    headers["Last-Modified"] = formatdate(found.modified_s, usegmt=True)
                    if http.method == "GET":
                        return web.Response(body=found.read(0, found.size), headers=headers)
                    return web.Response(headers={**headers, "Content-Length": str(found.size)})
        raise _absent(http)

    def _bucket(self, http: web.BaseRequest, bucket: str) -> web.Response:
        match http.method:
            case "PUT":
                self._objects.create_bucket(bucket)
                return web.Response(headers={"Location": f"/{bucket}"})
            case "HEAD":
                self._objects.check_bucket(bucket)
                return web.Response()
        raise _absent(http)

    def _list(self, http: web.BaseRequest, bucket: str, query: dict[str, str]) -> web.Response:
        """The first of the keys, in their order; there is no going on behind them here."""
        prefix, asked = query.pop("prefix", ""), query.pop("max-keys", _PAGE)
        if query.keys() - {"encoding-type"} or not re.fullmatch(r"[0-9]{1,6}", asked):
            raise _absent(http)
        found = self._objects.listed(bucket, prefix)
        shown = found[: min(int(asked), int(_PAGE))]
        more = str(len(found) > len(shown)).lower()
        told = f"<Name>{bucket}</Name><KeyCount>{len(shown)}</KeyCount><IsTruncated>{more}</IsTruncated>"
        parts = "".join(_content(*one) for one in shown)
        text = f"{_XML}<ListBucketResult><EncodingType>url</EncodingType>{told}{parts}</ListBucketResult>"
        return web.Response(text=text, content_type="application/xml")

    async def _put(self, http: web.BaseRequest, bucket: str, key: str) -> str:
        self._objects.check_bucket(bucket)
        if "Content-Encoding" in http.headers:  # aws-chunked, or what aiohttp would undo
            raise _absent(http)
        data = await body(http)
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        if http.headers.get("x-amz-checksum-sha256", digest) != digest:
            raise S3Error("BadDigest", 400, "The SHA256 you specified did not match what we received.")
        return self._objects.put(bucket, key, data)


def _content(key: str, size: int, modified_s: float) -> str:
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(modified_s))
    name = escape(quote(key, safe="/~"))
    return f"<Contents><Key>{name}</Key><LastModified>{when}</LastModified><Size>{size}</Size></Contents>"


def _absent(http: web.BaseRequest) -> S3Error:
    text = f"{http.method} of that is not simulated here: no more than objects and buckets put and read"
    return S3Error("NotImplemented", 501, text)
