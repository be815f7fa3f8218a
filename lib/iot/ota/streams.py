"""A file by MQTT, from any of its bytes on, in blocks: AWS IoT's "MQTT-based file delivery"."""

import asyncio
import binascii
import json

from micropython import const

from iot.events import within
from iot.memory import keep

_BLOCK_MOST = const(2048)  # 2.8 KB as JSON; with larger ones the heap would have to grow
_BLOCK_STEP = const(256)
_ROOM = const(112)  # in a message beside its topic and the block: MQTT's head, and JSON's members
_AT_ONCE = const(4)
_AGAIN_MS = const(4000)  # without a block, then what is missing is asked for again
_SOON_MS = const(1000)  # the same, once the last of those that were asked for has come
_QUIET_MS = const(20000)
# AWS's codes by which it will not do, however often it is asked; all others may pass.
_FINAL = const((
    "InvalidTopic", "InvalidJson", "InvalidRequest", "Unauthorized", "BlockSizeOutOfBounds",
    "OffsetOutOfBounds", "BlockCountLimitExceeded", "ResourceNotFound", "VersionMismatch", "ETagMismatch",
))  # fmt: skip
_HEAD_BYTES = const(160)  # of a message, in which its block begins: AWS's tokens have 64
_BLOCK = const(b'"p":"')
_LETTERS = const("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_NAME_MOST = const(128)


def is_name(name):
    """Whether a stream can be called by it."""
    return (
        isinstance(name, str) and 1 <= len(name) <= _NAME_MOST and not [c for c in name if c not in _LETTERS]
    )


async def get(line, stream, start, size, buffer, take, log=None):
    """Has `take(view)` called with a file's bytes from `start` on, in their order, until there are `size`.

    Some blocks are asked for at once, and come in any order, twice or not at all.

    Args:
        line: with `client`, a Client that stays connected meanwhile, and `prefix`, "$aws/things/NAME/".
        stream: its name, and the file's number in it.
        start: the first byte that is wanted, 0 to `size`.
        size: of the whole file.
        buffer: a bytearray in which blocks wait for those before them: of 8 KiB four do, of 2 KiB one.
        log: a Log, told of what is asked for again.

    Raises:
        ValueError: the service has no such file.
        OSError: nothing came for 20 s, or for 4 and there is no connection any more.
    """
    name, file = stream
    if not is_name(name):
        raise ValueError("stream: 1 to {} of A-Z a-z 0-9 - _".format(_NAME_MOST))
    keep("iot.mqtt.checks")  # which every message to a reserved topic asks for
    base = line.prefix + "streams/" + name
    blocks = _Blocks(line.client, base, file, size, buffer, log)
    client, subscriptions = line.client, []
    try:
        for topic, put in ((blocks.topic, blocks.put), (base + "/rejected/json", blocks.put_refusal)):
            # QoS 0: what is lost is asked for again, and a PUBACK for each block would cost more.
            subscriptions.append(client.subscribe(topic, 0, put=put))
        for one in subscriptions:
            if not await one.acknowledged(_QUIET_MS):
                raise OSError("stream: the cloud has not let this device subscribe")
        while start < size:
            view = await blocks.next(start)
            take(view)
            start += len(view)
    finally:
        for one in subscriptions:
            one.close()


def _parted(view):
    """What a message says beside its block, and that in base64: without a copy where it stands last."""
    head = bytes(view[:_HEAD_BYTES])
    at = head.find(_BLOCK)
    if b'"i":' in head[: max(at, 0)] and bytes(view[-2:]) == b'"}':
        return json.loads(head[:at] + b'"p":0}'), view[at + len(_BLOCK) : -2]
    found = json.loads(bytes(view))
    return found, found["p"]


class _Blocks:
    """Some blocks that follow on each other, as far as they are there."""

    def __init__(self, client, base, file, size, buffer, log):
        self.topic = base + "/data/json"
        self._client = client
        self._asked_on = base + "/get/json"
        self._file = file
        self._size = size
        self._log = log
        # In base64, 4 characters for 3 bytes, and in whole steps, as a file's blocks are.
        room = (client.inbox.framer.limit - len(self.topic) - _ROOM) // 4 * 3
        block = min(room, _BLOCK_MOST, len(buffer)) // _BLOCK_STEP * _BLOCK_STEP
        if not block:
            raise ValueError("stream: PACKET_LIMIT or the buffer has no room for a block")
        self._block = block
        self._at_once = min(len(buffer) // block, _AT_ONCE)
        self._room = memoryview(buffer)
        self._first = self._count = self._missing = 0  # a bit for each that is missing
        self._error = None
        self._is_odd = False  # what came last was of another length
        self._event = asyncio.Event()

    async def next(self, start):
        """The bytes from `start` on, as many as come at once; they hold until the next call."""
        block = self._block
        self._first = start // block
        self._count = min((self._size - 1) // block + 1 - self._first, self._at_once)
        self._missing = (1 << self._count) - 1
        await self._fill()
        base = self._first * block
        return self._room[start - base : min(self._size - base, self._count * block)]

    async def _fill(self):
        quiet_ms, is_due = 0, True
        while self._missing:
            self._event.clear()
            if is_due:
                self._ask()
            is_last_missing = self._missing >> self._count - 1
            pause_ms = _AGAIN_MS if is_last_missing else _SOON_MS
            is_due = not await within(pause_ms, self._event.wait())
            if self._error:
                raise ValueError("stream: " + self._error)
            quiet_ms = quiet_ms + pause_ms if is_due else 0
            if quiet_ms >= _QUIET_MS and self._is_odd:
                raise ValueError("stream: its file has not {} bytes".format(self._size))
            if quiet_ms >= _QUIET_MS:
                raise OSError("stream: nothing came for {} s".format(_QUIET_MS // 1000))
            if is_due and not self._client.connected:
                raise OSError("stream: {}".format(self._client.reason))
            if is_due and self._log:
                self._log.info("update", "asks again for what is missing of {} blocks", self._count)

    def _ask(self):
        """For each row of missing blocks: AWS's guide has bitmaps in JSON, too, but its clients have not."""
        at = 0
        while at < self._count:
            count = 0
            while self._missing >> at + count & 1:
                count += 1
            if count:
                asked = {"f": self._file, "l": self._block, "o": self._first + at, "n": count}
                self._client.publish(self._asked_on, asked)  # what has no room is missing, too
            at += count + 1

    def put(self, message):
        """A block, or whatever else comes in its place."""
        try:
            found, text = _parted(message[1])
            number = found["i"]
            if type(number) is not int or type(found["f"]) is not int or found["f"] != self._file:
                return
            at = number - self._first
            if not 0 <= at < self._count or not self._missing >> at & 1:
                return  # it came before, or was not asked for
            data = binascii.a2b_base64(text)
        except (ValueError, TypeError, KeyError, RuntimeError, MemoryError):  # it is as good as lost
            return
        self._is_odd = len(data) != min(self._size - number * self._block, self._block)
        if self._is_odd:
            return
        self._room[at * self._block : at * self._block + len(data)] = data
        self._missing &= ~(1 << at)
        self._event.set()

    def put_refusal(self, message):
        """Why the service does not give what was asked for."""
        try:
            found = json.loads(bytes(message[1]))
            code = found.get("o") or found["code"]
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, MemoryError):
            return
        if code in _FINAL:
            self._error = code
            self._event.set()
