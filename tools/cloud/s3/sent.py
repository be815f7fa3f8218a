"""An object on its way in."""

import asyncio

from aiohttp import web

from .errors import S3Error
from .objects import MOST_BYTES, too_large

_BODY_S = 60  # for the next of its bytes


async def body(http: web.BaseRequest) -> bytes:
    """All of what is put. Raises S3Error where it is too much, or does not come."""
    if (http.content_length or 0) > MOST_BYTES:
        raise too_large()
    if http.headers.get("Expect", "").lower() == "100-continue":
        await http.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        http.writer.output_size = 0
    data = bytearray()
    chunks = http.content.iter_any()
    try:
        while True:
            async with asyncio.timeout(_BODY_S):
                chunk = await anext(chunks, b"")
            if not chunk:
                return bytes(data)
            data += chunk
            if len(data) > MOST_BYTES:
                raise too_large()
    except TimeoutError:
        text = "Your socket connection to the server was not read from or written to in time."
        raise S3Error("RequestTimeout", 400, text) from None
