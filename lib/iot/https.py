"""HTTPS (RFC 9110, RFC 9112): one request on a connection of its own, its body through one buffer.

There for a moment. No text from here has more of a URL than its host: the rest may be all that one needs.
iot.ota.download reads answers by itself: what it would share took 1 KB of what an update has beside TLS.
"""

import asyncio
import gc
import time

from micropython import const

from iot.events import within
from iot.tls import Opener, is_starved

_PORT = const(443)
_URL_MAX = const(2500)
_STEP_MS = const(20000)  # for a handshake, and from one piece to the next: want of memory is silent
_ANSWER_MS = const(60000)  # for all of an answer
_BEGIN_MS = const(60000)
_LEAST_RATE = const(1024)  # bytes a second: slower is a server that holds the device
_WRITE_BYTES = const(1024)  # asyncio copies what TLS does not take at once
_HEAD_BYTES = const(2048)  # of an answer, while the buffer has what is being sent
_ANSWER_BYTES = const(1024)
_REQUEST = const("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}\r\n")
_OWN = const(("host", "connection", "content-length", "transfer-encoding", "expect"))
_LENGTH = const(b"content-length")
_CODING = const(b"transfer-encoding")
_LAST_CHUNK = const(b"0\r\n\r\n")


def _split(url):
    """(host, port, path) of a URL; ValueError where it is none of https."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    name, _, port = host.partition(":")
    is_sound = len(url) <= _URL_MAX and scheme == "https" and name and slash and "@" not in host
    if is_sound and min(url.encode()) > 32 and max(url.encode()) < 127 and (port or "1").isdigit():
        return name, int(port or _PORT), "/" + path.partition("#")[0]
    raise ValueError("url: not https://HOST/… of at most {} characters".format(_URL_MAX))


def _authority(host, port):
    """What a request calls its host (RFC 9110, 7.2), and what may be signed."""
    return host if port == _PORT else "{}:{}".format(host, port)


async def request(buffer, method, url, load, body=None, length=0, headers=None, into=None):
    """Makes a request and returns (status, fields, body); as thing.https has it, but for `load`.

    Args:
        buffer: 1 KiB or more, through which it all goes.
        load: as for iot.tls.Opener.

    Raises:
        ValueError: an argument, a server that is not trusted, or what it says is no HTTP.
        OSError: no connection, it is cut, or stands still.
    """
    host, port, path = _split(url)
    lines, names = _fields(headers or {})
    if not (method.isalpha() and method == method.upper()):
        raise ValueError("method: not in capitals")
    if body is not None and not callable(body):
        body = memoryview(body)
        length = len(body)
    if body is not None or method in ("PUT", "POST", "PATCH"):
        lines.append("Content-Length: {}\r\n".format(length))
    opener, host = Opener(host, port, load), _authority(host, port)
    lines, path = [_REQUEST.format(method, path, host, "".join(lines)).encode()], None
    try:
        return await _exchange(opener, buffer, lines, names, body, length, into, method == "HEAD")
    except (OSError, ValueError, MemoryError) as error:
        may_pass = isinstance(error, OSError) or is_starved(error)
        text = " ".join(str(error).split()) or "no memory"
        if text.lstrip("-").isdigit():
            text = "errno " + text
    text = "{}: {}".format(host, text)
    raise OSError(text) if may_pass else ValueError(text)


async def _exchange(opener, buffer, lines, names, body, length, into, is_head):
    gc.collect()
    buffer = memoryview(buffer)
    room, at = bytearray(_HEAD_BYTES), 0  # before what is small lies in between
    stream = await _in_time(opener.open())
    try:
        stream.write(lines.pop())  # of some KB, which so are nowhere else
        await _in_time(stream.drain())
        if length:
            at = await _send(stream, buffer, body, length, room)
        view = buffer[:_ANSWER_BYTES] if into is None else memoryview(into)
        status, found, count = await _in_time(_answer(stream, room, names, at, view, is_head), _ANSWER_MS)
        fields = {str(name, "utf-8"): _text(found[name]) for name in names if name in found}
        return status, fields, view[:count] if into else bytes(view[:count])
    finally:
        await _end_of(stream)


async def _answer(stream, room, names, at, view, is_head):
    """Status, fields, and how much of the body is in `view`; `at` bytes of it all are in `room` already."""
    status, found, at, end = await _hear(stream, room, names + [_LENGTH, _CODING], at)
    count = min(end - at, len(view))
    view[:count] = bytes(room[at : at + count])
    if is_head or status in (204, 304):
        return status, found, 0
    return status, found, await _body(stream, view, count, found)


async def _send(stream, view, body, length, room):
    """Sends the body; returns how many bytes of an answer have come, which need not wait for its end."""
    sent, start_ms = 0, time.ticks_ms()
    while sent < length:
        if time.ticks_diff(time.ticks_ms(), start_ms) > _BEGIN_MS + sent * 1000 // _LEAST_RATE:
            raise OSError("slower than {} bytes a second".format(_LEAST_RATE))
        if callable(body):
            piece = view[: length - sent]
            count = body(piece)
            if hasattr(count, "send"):
                count = await _in_time(count)
            if not count or not 0 < count <= len(piece):
                raise ValueError("the body has ended after {} of {} bytes".format(sent, length))
            piece = piece[:count]
        else:
            piece = body[sent : sent + len(view)]
        sent += len(piece)
        try:
            for start in range(0, len(piece), _WRITE_BYTES):
                stream.write(piece[start : start + _WRITE_BYTES])
                await _in_time(stream.drain())
        except OSError:
            count = stream.s.readinto(room)  # of who has answered, and then reads no more
            if count:
                return count
            raise
        count = stream.s.readinto(room)
        if count is not None:  # 0: it has hung up
            return count
    return 0


async def _body(stream, view, count, found):
    """Reads on until `view` is full or the body is there; returns how much of it there is."""
    is_chunked, told = _CODING in found, found.get(_LENGTH, b"")
    most = len(view)
    if told.isdigit() and not is_chunked:
        most = min(most, int(told))
        while count < most:
            count += await _read(stream, view[count:most])
        return most
    while count < most and not (is_chunked and bytes(view[max(count - 5, 0) : count]) == _LAST_CHUNK):
        more = await _some(stream, view[count:])
        if not more:
            break
        count += more
    return _unchunked(view, bytes(view[:count])) if is_chunked else count


def _unchunked(view, data):
    """Puts what the chunks of `data` have into `view`; returns how much."""
    at = count = 0
    while True:
        end = data.find(b"\r\n", at)
        try:
            size = int(data[at:end].split(b";")[0], 16) if end >= 0 else 0
        except ValueError:
            raise ValueError("no chunk")
        if size <= 0:
            return count
        piece = data[end + 2 : end + 2 + size]
        view[count : count + len(piece)] = piece
        count += len(piece)
        at = end + 2 + size + 2


def _fields(headers):
    """The lines of what is sent, and the names of what is asked for."""
    lines, names = [], []
    for name, value in headers.items():
        line = "{}: {}".format(name, value).encode()
        is_sound = name and " " not in name and ":" not in name and name.lower() not in _OWN
        if not is_sound or min(line) < 32 or max(line) > 126:
            raise ValueError("headers: {} cannot be sent".format(repr(name)))
        if value is None:
            names.append(name.lower().encode())
        else:
            lines.append(str(line, "utf-8") + "\r\n")
    return lines, names


def _text(value):
    return "".join([chr(byte) for byte in value])


async def _in_time(coroutine, timeout_ms=_STEP_MS):
    """Awaits a coroutine that has to go on; OSError where it took too long."""
    try:
        return await asyncio.wait_for_ms(coroutine, timeout_ms)
    except asyncio.TimeoutError:
        raise OSError("nothing came for {} s".format(timeout_ms // 1000))


async def _end_of(stream):
    """Closes a stream."""
    stream.close()
    await within(_STEP_MS, stream.wait_closed())


async def _read(stream, view):
    """Reads a piece, of at least a byte."""
    count = await _some(stream, view)
    if not count:
        raise OSError("the server has ended the connection")
    return count


async def _some(stream, view):
    while True:
        count = await _in_time(stream.readinto(view))
        if count is not None:
            return count


async def _hear(stream, buffer, names, at=0):
    """An answer's head: (status, {name: value}, start, end), of which what follows has come into `buffer`.

    Args:
        buffer: a bytearray, which the head has to fit in.
        names: of the fields that are asked for, in small letters; each and its value as bytes.
        at: how many bytes are in the buffer already.
    """
    room = memoryview(buffer)
    while True:
        end = buffer.find(b"\r\n\r\n", 0, at)
        while end < 0:
            if at == len(buffer):
                raise ValueError("an answer with a head of over {} bytes".format(len(buffer)))
            at += await _read(stream, room[at:])
            end = buffer.find(b"\r\n\r\n", 0, at)
        status, found = _head(buffer, room, end, names)
        end += 4
        if status >= 200:
            return status, found, end, at
        at -= end  # 100 and its like: another one follows
        room[:at] = bytes(room[end : end + at])


def _head(buffer, room, end, names):
    """Status and fields; one after the other, since there may be hundreds."""
    found, at = {}, buffer.find(b"\r\n", 0, end)
    first = bytes(room[: min(end if at < 0 else at, 13)]) + b" "  # "HTTP/1.1 200 OK", or without OK
    if first[:7] != b"HTTP/1." or not first[9:12].isdigit() or first[8:9] != b" " or first[12:13] != b" ":
        raise ValueError("no answer of HTTP")
    while 0 <= at < end:
        start = at + 2
        at = buffer.find(b"\r\n", start, end)
        stop = at if at >= 0 else end
        colon = buffer.find(b":", start, stop)
        if colon >= 0:
            name = bytes(room[start:colon]).lower()
            if name in names:
                found[name] = bytes(room[colon + 1 : stop]).strip()
    return int(first[9:12]), found
