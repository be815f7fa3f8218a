"""A file by MQTT, from a service that loses, doubles, mixes and makes up what it says."""

import asyncio
import binascii
import json

from check import araises
from fakes import FakeLog
from iot import events
from iot.ota import streams

FILE = b"".join([b"%05d" % number for number in range(4001)])  # 20,005 bytes
PREFIX = "$aws/things/lamp/"
BASE = PREFIX + "streams/release-1"


def quickly(timeout_ms, coroutine):
    """The pauses of the module, 200 times shorter: what is answered here is so at once."""
    return events.within(timeout_ms // 200, coroutine)


streams.within = quickly
streams.keep = lambda name: None


class Subscription:
    def __init__(self, put, granted):
        self.put = put
        self.closed = False
        self._granted = granted

    async def acknowledged(self, timeout_ms):
        return self._granted

    def close(self):
        self.closed = True


class Cloud:
    """The line, its client, and the service behind it.

    Attributes:
        mangle: called with the messages (dict or bytes) that answer a request; what it returns is said.
        asked: (first block, count) of each request.
        largest: bytes of the largest packet.
    """

    def __init__(self, file=FILE, limit=3072, prefix=PREFIX, granted=True):
        self.client = self.inbox = self.framer = self
        self.is_terse = True  # as AWS's service writes JSON, and the local cloud
        self.connected = True
        self.reason = None
        self.order = "flip"
        self.limit = limit
        self.prefix = prefix
        self.mangle = lambda messages: messages
        self.asked = []
        self.largest = 0
        self.subscriptions = {}
        self._file = file
        self._granted = granted

    def subscribe(self, topic, qos, put):
        assert qos == 0
        self.subscriptions[topic] = Subscription(put, self._granted)
        return self.subscriptions[topic]

    def publish(self, topic, asked):
        base = topic[: -len("/get/json")]
        assert topic == base + "/get/json" and asked["f"] == 3
        self.asked.append((asked["o"], asked["n"]))
        for message in self.mangle(self._answers(asked)):
            if isinstance(message, dict) and "o" in message:
                self.say(base + "/rejected/json", message)
            else:
                self.say(base + "/data/json", message)

    def say(self, topic, message):
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        if self.is_terse and not isinstance(message, bytes):
            payload = payload.replace(b": ", b":").replace(b", ", b",")
        self.largest = max(self.largest, 7 + len(topic) + len(payload))
        view = memoryview(payload) if len(payload) < self.limit else None
        self.subscriptions[topic].put((topic, view))

    def _answers(self, asked):
        size = asked["l"]
        if (asked["o"] + asked["n"] - 1) * size >= len(self._file):
            return [{"o": "ResourceNotFound", "m": "no such blocks"}]
        return [self.block(asked["o"] + at, size) for at in range(asked["n"])]

    def block(self, number, size, data=None):
        data = data or self._file[number * size : (number + 1) * size]
        text = str(binascii.b2a_base64(data), "ascii").strip()
        members = {"f": 3, "l": len(data), "i": number, "p": text}
        return {name: members[name] for name in self.order}

    async def get(self, start=0, size=20005, room=8192, name="release-1", log=None):
        pieces = []
        try:
            await streams.get(
                self, (name, 3), start, size, bytearray(room), lambda view: pieces.append(bytes(view)), log
            )
        finally:
            assert all([one.closed for one in self.subscriptions.values()])
        return b"".join(pieces)


def lost_first(times, numbers):
    """A mangle that loses each of these blocks so often."""
    left = dict.fromkeys(numbers, times)

    def mangle(messages):
        said = []
        for message in messages:
            number = message["i"]
            if left.get(number):
                left[number] -= 1
            else:
                said.append(message)
        return said

    return mangle


async def test_a_file_comes_whole_from_any_byte_on_with_any_buffer():
    for room in (256, 700, 2048, 4096, 8192, 20000):
        for start in (0, 1, 2047, 2048, 8191, 12345, len(FILE) - 1, len(FILE)):
            assert await Cloud().get(start, room=room) == FILE[start:]
    for size in (1, 2047, 2048, 2049, 8192):
        assert await Cloud(FILE[:size]).get(size=size) == FILE[:size]


async def test_the_members_may_stand_in_any_order_with_blanks_or_without():
    for order in ("flip", "ilfp", "plif", "filp", "pilf", "fpil"):
        for is_terse in (True, False):
            cloud = Cloud()
            cloud.order, cloud.is_terse = order, is_terse
            assert await cloud.get() == FILE
            assert cloud.asked == [(0, 4), (4, 4), (8, 2)]


async def test_four_blocks_are_asked_for_at_once_and_none_twice():
    cloud = Cloud()
    await cloud.get(2048 * 5 + 7)
    assert cloud.asked == [(5, 4), (9, 1)]


async def test_blocks_come_in_any_order_and_twice():
    cloud = Cloud()
    cloud.mangle = lambda messages: messages[::-1] + messages
    assert await cloud.get() == FILE
    assert cloud.asked == [(0, 4), (4, 4), (8, 2)]


async def test_what_is_lost_is_asked_for_again_and_nothing_else():
    cloud, log = Cloud(), FakeLog()
    cloud.mangle = lost_first(2, (1, 3, 4, 5, 6, 7))
    assert await cloud.get(log=log) == FILE
    again = [(1, 1), (3, 1)]
    assert cloud.asked == [(0, 4)] + 2 * again + 3 * [(4, 4)] + [(8, 2)]
    assert len(log.lines) == 4


async def test_a_service_that_says_nothing_ends_it_after_a_bounded_number_of_requests():
    cloud = Cloud()
    cloud.mangle = lambda messages: []
    await araises(OSError, "nothing came for 20 s", cloud.get())
    assert cloud.asked == 5 * [(0, 4)]
    cloud = Cloud()
    cloud.mangle = lost_first(1000, (1,))  # one block alone never comes
    await araises(OSError, "nothing came for 20 s", cloud.get())
    assert len(cloud.asked) == 20


async def test_blocks_of_another_length_are_as_good_as_lost():
    cloud = Cloud()
    seen = []

    def mangle(messages):
        bad = [cloud.block(one["i"], 2048, FILE[:length]) for one in messages for length in (1, 2047, 2049)]
        seen.append(len(messages))
        return bad if len(seen) == 1 else messages

    cloud.mangle = mangle
    assert await cloud.get() == FILE
    assert seen == [4, 4, 4, 2]


async def test_a_file_that_is_longer_or_shorter_than_it_should_be_is_refused():
    for size in (len(FILE) - 1, len(FILE) + 1):
        await araises(ValueError, "has not {} bytes".format(size), Cloud().get(size=size))
    await araises(ValueError, "stream: ResourceNotFound", Cloud().get(size=len(FILE) + 3000))


async def test_what_is_made_up_is_passed_over():
    sound = '{"f": 3, "l": 2048, "i": 0, "p": "AAAA"}'
    strange = [
        b"", b"\xff\xfe", b"null", b"[]", b"7", b"{}", b"{", b'{"f": 3, "i": 0}', b"[" * 2900,
        b'{"f": 3, "i": 0, "p": null}', b'{"f": 3, "i": 0, "p": ["AAAA"]}',
        b'{"f": 3, "i": 0, "p": "\xc3\xbc"}',
        b'{"f": 3, "i": 0, "p": "A"}', b'{"f": 3, "i": -1, "p": "AAAA"}',
        b'{"f": 3, "i": 1e400, "p": "AAAA"}',
        b'{"f": 3, "i": 99999999999999999999999, "p": "AAAA"}', b'{"f": 3, "i": "0", "p": "AAAA"}',
        b'{"f": 3, "i": true, "p": "AAAA"}', b'{"f": true, "i": 0, "p": "AAAA"}',
        b'{"f": 4, "i": 0, "p": "AAAA"}',
        sound.encode(), sound[:-1].encode(), b"x" * 4000,
    ]  # fmt: skip
    cloud = Cloud()

    def mangle(messages):
        others = [dict(one, f=2, p="A" * len(one["p"])) for one in messages]
        later = [cloud.block(one["i"] + 4, 2048, b"x" * 2048) for one in messages]
        for one in strange:
            cloud.say(BASE + "/rejected/json", one)
        cloud.say(BASE + "/rejected/json", {"o": ["ResourceNotFound"]})
        cloud.say(BASE + "/rejected/json", {"o": {}, "code": 7})
        return strange + others + later + messages

    cloud.mangle = mangle
    assert await cloud.get() == FILE
    assert cloud.asked == [(0, 4), (4, 4), (8, 2)]


async def test_a_refusal_ends_it_with_its_code_alone_where_it_will_not_pass():
    for member in ("o", "code"):
        cloud = Cloud()
        refusal = {member: "ETagMismatch", "m": "pear"}
        cloud.mangle = lambda messages, cloud=cloud, refusal=refusal: (
            cloud.say(BASE + "/rejected/json", refusal) or []
        )
        error = await araises(ValueError, "stream: ETagMismatch", cloud.get())
        assert "pear" not in str(error)
        assert len(cloud.asked) == 1


async def test_a_refusal_that_may_pass_has_it_asked_again():
    cloud = Cloud()
    refusals = [{"o": "InternalError", "m": ""}, {"o": "Newly Invented", "m": ""}]
    cloud.mangle = lambda messages: [refusals.pop()] if refusals else messages
    assert await cloud.get() == FILE
    assert cloud.asked == 3 * [(0, 4)] + [(4, 4), (8, 2)]


async def test_every_message_fits_the_packet_limit():
    for name, block in (("r", 2048), ("r" * 100, 2048), ("r" * 128, 1792)):
        cloud = Cloud(prefix="$aws/things/" + "t" * 70 + "/")
        assert await cloud.get(name=name) == FILE
        assert cloud.asked[1][0] == 4 and cloud.largest <= cloud.limit
        assert sum([count for _, count in cloud.asked]) == (len(FILE) + block - 1) // block
    await araises(ValueError, "PACKET_LIMIT", Cloud(limit=384).get())
    await araises(ValueError, "the buffer", Cloud().get(room=255))


async def test_names_that_no_stream_has_ask_nothing():
    for name in ("", "a/b", "+", "#", "ü", "a b", "a" * 129, None, 7):
        cloud = Cloud()
        await araises(ValueError, "stream: 1 to 128", cloud.get(name=name))
        assert not cloud.subscriptions


async def test_a_connection_that_has_ended_is_not_waited_for():
    cloud = Cloud()
    cloud.mangle = lambda messages: []
    cloud.connected, cloud.reason = False, "closed by the broker"
    await araises(OSError, "stream: closed by the broker", cloud.get())
    assert len(cloud.asked) == 1


async def test_a_cloud_that_lets_nobody_subscribe():
    await araises(OSError, "subscribe", Cloud(granted=False).get())


async def test_what_the_taker_raises_comes_through_and_so_does_a_cancellation():
    def take(view):
        raise OSError("flash")

    cloud = Cloud()
    await araises(OSError, "flash", streams.get(cloud, ("r", 3), 0, len(FILE), bytearray(2048), take))
    assert all([one.closed for one in cloud.subscriptions.values()])
    cloud = Cloud()
    cloud.mangle = lambda messages: []
    task = asyncio.create_task(cloud.get())
    while not cloud.asked:
        await asyncio.sleep_ms(1)
    task.cancel()
    await araises(asyncio.CancelledError, "", task)


async def test_whatever_becomes_of_blocks_the_bytes_are_right():
    state = 12345

    def chance(below):
        nonlocal state
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        return (state >> 8) % below

    for _ in range(40):
        cloud = Cloud()

        def mangle(messages, cloud=cloud):
            said = []
            for one in messages:
                kind = chance(12)
                if kind == 1:
                    said.append(cloud.block(one["i"], 2048, b"short"))
                elif kind:
                    said.insert(chance(len(said) + 1), one)
                if kind == 2:
                    said.append(one)
            return said

        cloud.mangle = mangle
        start = chance(len(FILE))
        assert await cloud.get(start, room=256 + chance(9000)) == FILE[start:]
