"""The rescue's own HTTPS (RFC 9110, RFC 9112): a file, from any of its bytes on, through one buffer."""

import asyncio
import errno
import time

from micropython import const

_PORT = const(443)
_URL_MAX = const(2500)
_STEP_S = const(20)  # for a handshake, and from one piece to the next
_STEP_MS = const(20000)
_POLL_MS = const(20)
_BEGIN_MS = const(60000)  # for the first bytes
_LEAST_RATE = const(1024)  # bytes a second: slower is a server that holds the device
_REQUEST = const("GET {} HTTP/1.1\r\nHost: {}\r\nRange: bytes={}-\r\nConnection: close\r\n\r\n")
# The URL's time is over, and the job brings another; or the server has no time.
_LATER = const((b"401", b"403", b"410", b"429"))


async def get(url, trusted, start, size, buffer, take, feed):
    """Has `take(view)` called with a file's bytes from `start` on, in their order, until there are `size`.

    No text that comes from here has more of the URL than its host: the rest may be all that one needs.

    Args:
        url: https://…; it has to be there: redirects are not followed.
        trusted: an SSLContext.
        start, size: the first byte that is wanted, and how many the whole file has.
        buffer: a bytearray, which the answer's head has to fit in.
        feed: feeds the watchdog.

    Raises:
        ValueError: the server has no such file, or is none that is trusted.
        OSError: the connection, or it stands still, or another URL will do.
    """
    host, port, path = split(url)
    import socket

    sock = socket.socket()
    stream = None
    try:
        feed()
        sock.settimeout(_STEP_S)
        sock.connect(socket.getaddrinfo(host, port)[0][-1])
        stream = trusted.wrap_socket(sock, server_hostname=host)
        named = host if port == _PORT else "{}:{}".format(host, port)
        view = memoryview(_REQUEST.format(path, named, start).encode())
        while view:
            view = view[stream.write(view) or 0 :]
        sock.settimeout(0)
        await receive(host, stream, start, size, buffer, take, feed)
    finally:
        if stream:
            stream.close()
        sock.close()


async def receive(host, stream, start, size, buffer, take, feed):
    """Takes the answer out of a stream that does not block; arguments and errors as for `get`."""
    limit_ms, start_ms = _BEGIN_MS + (size - start) * 1000 // _LEAST_RATE, time.ticks_ms()
    room = memoryview(buffer)
    at = end = 0
    while not end:
        if at == len(buffer):
            raise ValueError("{}: an answer with a head of over {} bytes".format(host, len(buffer)))
        at += await _read(stream, room[at:], feed)
        end = buffer.find(b"\r\n\r\n", 0, at) + 1
    skip = start - _first(host, bytes(room[: end - 1]), start, size)
    view = room[end + 3 : at]
    left = size - start + skip
    while True:
        view = view[:left]
        left -= len(view)
        if skip < len(view):
            take(view[skip:])
        skip -= min(skip, len(view))
        if not left:
            return
        if time.ticks_diff(time.ticks_ms(), start_ms) > limit_ms:
            raise OSError("slower than {} bytes a second (slow retrieval)".format(_LEAST_RATE))
        view = room[: await _read(stream, room, feed)]


async def _read(stream, view, feed):
    """Reads a piece, of at least a byte."""
    start_ms = time.ticks_ms()
    while True:
        feed()
        count = stream.readinto(view)
        if count:
            return count
        if count == 0:
            raise OSError(errno.ECONNRESET)
        if time.ticks_diff(time.ticks_ms(), start_ms) > _STEP_MS:
            raise OSError(errno.ETIMEDOUT)
        await asyncio.sleep_ms(_POLL_MS)


def _first(host, head, start, size):
    """The first byte that an answer brings: `start`, or 0 where the server gives all of it."""
    line, *lines = head.split(b"\r\n")
    fields = {}
    for one in lines:
        name, _, value = one.partition(b":")
        fields[name.lower()] = value.strip()
    status = line[9:12]
    if line[:7] != b"HTTP/1." or not status.isdigit():
        raise ValueError("{}: no answer of HTTP".format(host))
    if status not in (b"200", b"206"):
        error = OSError if status in _LATER or status >= b"500" else ValueError
        raise error("{}: status {}".format(host, str(status, "ascii")))
    first = start if status == b"206" else 0
    length, bounds = b"%d" % (size - first), b"bytes %d-%d/%d" % (first, size - 1, size)
    if (
        b"transfer-encoding" in fields
        or b"content-encoding" in fields
        or fields.get(b"content-length", length) != length
        or (status == b"206" and fields.get(b"content-range") != bounds)
    ):
        raise ValueError("{}: not the file's {} bytes from {} on".format(host, size, first))
    return first


def split(url):
    """(host, port, path) of a URL; ValueError where it is none of https."""
    scheme, _, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
    host, slash, path = rest.partition("/")
    name, _, port = host.partition(":")
    is_sound = scheme == "https" and name and slash and "@" not in host and len(url) <= _URL_MAX
    if is_sound and min(url.encode()) > 32 and max(url.encode()) < 127 and (port or "1").isdigit():
        return name, int(port or _PORT), "/" + path.partition("#")[0]
    raise ValueError("url: not https://HOST/… of at most {} characters".format(_URL_MAX))
