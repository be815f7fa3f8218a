"""Installs what a job brings: judged by the modules of iot.ota, fetched by code of its own."""

import asyncio
import binascii
import errno
import hashlib
import socket
import time

from micropython import const

from iot.rescue import link
from iot.rescue.needs import need

_FOLDER = const("/certs")
_BUFFER_BYTES = const(4096)
_PORT = const(443)
_URL_MAX = const(2500)
_STEP_S = const(20)
_STEP_MS = const(20000)
_POLL_MS = const(20)
_BEGIN_MS = const(60000)  # for the first bytes
_LEAST_RATE = const(1024)  # bytes a second: slower is a server that holds the device
_STARTS = const(3)  # of the new version, to reach the cloud
_REQUEST = const("GET {} HTTP/1.1\r\nHost: {}\r\nRange: bytes={}-\r\nConnection: close\r\n\r\n")


def modules():
    """What judges and keeps updates; Broken names the first that cannot be imported."""
    need("iot.storage.nvs", "iot.storage.record", "iot.storage.schema", "iot.storage.store")
    need("iot.crypto.curve", "iot.crypto.hmac256", "iot.crypto.der", "iot.crypto.p256", "iot.ota.forms")
    return need("iot.ota.verify"), need("iot.ota.kept"), need("iot.ota.slots")


class Log:
    """What iot.ota tells of a damaged root."""

    def warning(self, area, text, *values):
        link.tell(area + ": " + text, *values)


def settle_trial(space):
    """Ends a trial that has failed: its version is not tried again unless a job says so."""
    _, kept, slots = modules()
    slot = slots.on_trial(space)
    if slot and slot != slots.running():
        text = slots.manifest(slot)
        if text:
            kept.refuse(space, need("iot.ota.forms").manifest(str(text, "ascii"))["sha256"])
        slots.end_trial(space, False)


def has_failed(space, text):
    """Why the version of this manifest need not be tried again, None where it may do."""
    _, kept, slots = modules()
    if slots.running() and slots.manifest(slots.running()) == text.encode():
        return "this version counts, and does not start or not reach the cloud"
    try:
        digest = need("iot.ota.forms").manifest(text)["sha256"]
    except ValueError as error:
        return str(error)
    return "it did not start, or did not reach the cloud" if kept.is_refused(space, digest) else None


async def install(space, settings, document, root_ca, feed):
    """Does what a job "OTA" asks for; True where the next start is to try a new version.

    Args:
        space: the esp32.NVS.
        settings: the module firmware/settings.py.
        document: the job's (docs/updates.md).
        root_ca: of the configuration.
        feed: feeds the watchdog.

    Raises:
        ValueError: it is refused, for good.
        OSError: flash, or the way to the file, may do better the next time.
    """
    verify, kept, slots = modules()
    text, signatures, url = document.get("manifest"), document.get("signatures"), document.get("url")
    root = kept.root(_FOLDER, settings, Log())
    feed()
    if "root" in document:
        kept.keep_root(_FOLDER, await verify.next_root(document["root"], signatures, root))
        return False
    manifest = await verify.manifest(text, signatures, root, kept.counter(space), time.gmtime())
    slot, size = slots.free(space), manifest["size"]
    if manifest["kind"] != "app":
        raise ValueError("kind {}: the rescue installs the application alone".format(manifest["kind"]))
    if not slot:
        raise ValueError("no slot is free")
    path, start = slots.prepare(slot, size)
    link.tell("version {}: {} of {} bytes are there", manifest["version"], start, size)
    buffer = bytearray(_BUFFER_BYTES)
    if start < size:
        with open(path, "ab") as file:  # noqa: ASYNC230 - there is no other way
            await _get(url, link.context(root_ca), start, size, buffer, file.write, feed)
    digest = _digest(path, buffer, feed)  # of what flash has: not all that is written can be read
    if digest != manifest["sha256"]:
        slots.clear(slot)
        told = "the file's hash begins with {}, not with {} (arbitrary software)"
        error = OSError if start else ValueError  # what came before may be torn
        raise error(told.format(digest[:16], manifest["sha256"][:16]))
    slots.seal(slot, manifest["text"])
    slots.begin_trial(space, slot, _STARTS)
    return True


def digest_of(text):
    """SHA-256 of a text, in hexadecimal digits."""
    return str(binascii.hexlify(hashlib.sha256(text.encode()).digest()), "ascii")


def _digest(path, buffer, feed):
    digest, room = hashlib.sha256(), memoryview(buffer)
    with open(path, "rb") as file:
        while count := file.readinto(room):
            digest.update(room[:count])
            feed()
    return str(binascii.hexlify(digest.digest()), "ascii")


async def _get(url, trusted, start, size, buffer, take, feed):
    """Has `take(view)` called with a file's bytes from `start` on. No text from here has more of the URL than
    its host: the rest may be all that one needs to get the file.
    """
    host, port, path = _split(url)
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
        await _receive(host, stream, start, size, buffer, take, feed)
    finally:
        if stream:
            stream.close()
        sock.close()


async def _receive(host, stream, start, size, buffer, take, feed):
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
        # 403: the URL's time is over, and the job brings another.
        error = OSError if status == b"403" or status >= b"500" else ValueError
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


def _split(url):
    """(host, port, path) of a URL; ValueError where it is none of https."""
    scheme, _, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
    host, slash, path = rest.partition("/")
    name, _, port = host.partition(":")
    is_sound = scheme == "https" and name and slash and "@" not in host and len(url) <= _URL_MAX
    if is_sound and min(url.encode()) > 32 and max(url.encode()) < 127 and (port or "1").isdigit():
        return name, int(port or _PORT), "/" + path.partition("#")[0]
    raise ValueError("url: not https://HOST/… of at most {} characters".format(_URL_MAX))
