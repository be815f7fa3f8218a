"""A file by HTTPS (RFC 9110, RFC 9112), from any of its bytes on, through one buffer."""

from micropython import const

from iot.https import Refused, authority, end_of, hear, in_time, read, split
from iot.tls import Opener

_HOPS = const(3)
_REQUEST = const("GET {} HTTP/1.1\r\nHost: {}\r\nRange: bytes={}-\r\nConnection: close\r\n\r\n")
_THROTTLED = const(429)
_FAILED = const(500)
_MOVED = const((301, 302, 303, 307, 308))
_NAMES = const((b"location", b"content-length", b"content-range", b"transfer-encoding", b"content-encoding"))


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
    opener, host = Opener(host, port, load), authority(host, port)
    for _ in range(_HOPS):
        stream = await in_time(opener.open())
        try:
            path = await _get(stream, host, path, start, size, buffer, take)
        except Refused as error:
            raise Refused("{}: {}".format(host, error), error.status)
        finally:
            await end_of(stream)
        if path is None:
            return
    raise Refused("{}: sends on and on".format(host))


async def _get(stream, host, path, start, size, buffer, take):
    """None once all has come; or the path that the server sends to."""
    stream.write(_REQUEST.format(path, host, start).encode())
    await in_time(stream.drain())
    status, fields, at, end = await hear(stream, buffer, _NAMES)
    if status in _MOVED:
        return _onward(host, fields.get(b"location", b""))
    skip = start - _first(host, status, fields, start, size)
    room = memoryview(buffer)
    view = room[at:end]
    left = size - start + skip
    while True:
        view = view[:left]
        left -= len(view)
        kept = (take(view[skip:]) or 0) if skip < len(view) else 0
        skip -= min(skip, len(view))
        if not left:
            return None
        view = room[kept : kept + await read(stream, room[kept:])]


def _onward(host, location):
    where = str(location, "utf-8")
    if where.startswith("/"):
        where = "https://" + host + where
    other, port, path = split(where)
    other = authority(other, port)
    if other != host:
        raise Refused("sends to another host, {}".format(other))
    return path


def _first(host, status, fields, start, size):
    """The first byte of the file that an answer brings: `start`, or 0 where the server gives all of it."""
    if status == _THROTTLED or status >= _FAILED:  # it may do so a moment later
        raise OSError("{}: status {}".format(host, status))
    if status not in (200, 206):
        raise Refused("status {}".format(status), status)
    first = start if status == 206 else 0
    bounds = b"bytes %d-%d/%d" % (first, size - 1, size)
    length = fields.get(b"content-length", b"%d" % (size - first))
    if b"transfer-encoding" in fields or b"content-encoding" in fields:
        raise Refused("an answer in another coding")
    if length != b"%d" % (size - first) or (status == 206 and fields.get(b"content-range") != bounds):
        raise Refused("not the file's {} bytes from {} on".format(size, first))
    return first
