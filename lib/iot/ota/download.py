"""A file by HTTPS (RFC 9110, RFC 9112), from any of its bytes on, through one buffer."""

import asyncio

from micropython import const

from iot.events import within
from iot.tls import Opener

_PORT = const(443)
_URL_MAX = const(2500)
_READ_MS = const(20000)  # for a handshake, and from one piece to the next: want of memory is silent
_HOPS = const(3)
_REQUEST = const("GET {} HTTP/1.1\r\nHost: {}\r\nRange: bytes={}-\r\nConnection: close\r\n\r\n")
_THROTTLED = const(429)
_FAILED = const(500)
_MOVED = const((301, 302, 303, 307, 308))


class Refused(ValueError):
    """The server has no such file for this device: to ask again would be of no use. Attributes: status."""

    def __init__(self, text, status=0):
        super().__init__(text)
        self.status = status


async def get(url, load, start, size, buffer, take):
    """Has `take(view)` called with a file's bytes from `start` on, in their order, until there are `size`.

    It returns how many bytes at the buffer's beginning have to stay, if any: the next come behind them. The
    URL may hold a signature: no text that comes from here has more of it than the host.

    Args:
        url: https://…; a server that sends elsewhere may do so on its own host alone.
        load: as for iot.tls.Opener.
        start: the first byte that is wanted, 0 to `size`.
        size: of the whole file.
        buffer: a bytearray, which the answer's head has to fit in.

    Raises:
        Refused: by this module or by the server.
        OSError: the connection, or it is cut, or stands still.
    """
    host, port, path = split(url)
    opener, host = Opener(host, port, load), _authority(host, port)
    for _ in range(_HOPS):
        stream = await _within(opener.open())
        try:
            path = await _get(stream, host, path, start, size, buffer, take)
        finally:
            stream.close()
            await within(_READ_MS, stream.wait_closed())
        if path is None:
            return
    raise Refused("{}: sends on and on".format(host))


def split(url):
    """(host, port, path) of a URL; Refused where it is none of https."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    name, _, port = host.partition(":")
    is_sound = len(url) <= _URL_MAX and scheme == "https" and name and slash and "@" not in host
    if is_sound and min(url.encode()) > 32 and max(url.encode()) < 127 and (port or "1").isdigit():
        return name, int(port or _PORT), "/" + path.partition("#")[0]
    raise Refused("url: not https://HOST/… of at most {} characters".format(_URL_MAX))


def _authority(host, port):
    """What a request calls its host (RFC 9110, 7.2), and what may be signed."""
    return host if port == _PORT else "{}:{}".format(host, port)


async def _within(coroutine):
    try:
        return await asyncio.wait_for_ms(coroutine, _READ_MS)
    except asyncio.TimeoutError:
        raise OSError("nothing came for {} s".format(_READ_MS // 1000))


async def _get(stream, host, path, start, size, buffer, take):
    """None once all has come; or the path that the server sends to."""
    stream.write(_REQUEST.format(path, host, start).encode())
    await _within(stream.drain())
    room = memoryview(buffer)
    at = end = 0
    while not end:
        if at == len(buffer):
            raise Refused("{}: an answer with a head of over {} bytes".format(host, len(buffer)))
        at += await _read(stream, room[at:])
        end = buffer.find(b"\r\n\r\n", 0, at) + 1
    status, fields = _head(host, bytes(room[: end - 1]))
    if status in _MOVED:
        return _onward(host, fields.get(b"location", b""))
    skip = start - _first(host, status, fields, start, size)
    view = room[end + 3 : at]
    left = size - start + skip
    while True:
        view = view[:left]
        left -= len(view)
        kept = (take(view[skip:]) or 0) if skip < len(view) else 0
        skip -= min(skip, len(view))
        if not left:
            return None
        view = room[kept : kept + await _read(stream, room[kept:])]


async def _read(stream, view):
    """Reads a piece, of at least a byte."""
    while True:
        count = await _within(stream.readinto(view))
        if count:
            return count
        if count == 0:
            raise OSError("the server has ended the connection")


def _head(host, head):
    """The status and the fields of an answer, names in lower case."""
    first, *lines = head.split(b"\r\n")
    fields = {}
    for line in lines:
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    words = first.split(b" ")
    if len(words) < 2 or words[0] not in (b"HTTP/1.1", b"HTTP/1.0") or not words[1].isdigit():
        raise Refused("{}: no answer of HTTP".format(host))
    return int(words[1]), fields


def _onward(host, location):
    where = str(location, "utf-8")
    if where.startswith("/"):
        where = "https://" + host + where
    other, port, path = split(where)
    other = _authority(other, port)
    if other != host:
        raise Refused("{}: sends to another host, {}".format(host, other))
    return path


def _first(host, status, fields, start, size):
    """The first byte of the file that an answer brings: `start`, or 0 where the server gives all of it."""
    if status == _THROTTLED or status >= _FAILED:  # it may do so a moment later
        raise OSError("{}: status {}".format(host, status))
    if status not in (200, 206):
        raise Refused("{}: status {}".format(host, status), status)
    first = start if status == 206 else 0
    bounds = b"bytes %d-%d/%d" % (first, size - 1, size)
    length = fields.get(b"content-length", b"%d" % (size - first))
    if b"transfer-encoding" in fields or b"content-encoding" in fields:
        raise Refused("{}: an answer in another coding".format(host))
    if length != b"%d" % (size - first) or (status == 206 and fields.get(b"content-range") != bounds):
        raise Refused("{}: not the file's {} bytes from {} on".format(host, size, first))
    return first
