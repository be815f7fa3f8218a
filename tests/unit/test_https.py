"""One request by HTTPS, to a server that says what it is told to say, when it is told to."""

import asyncio
import time

from answers import answer
from check import araises
from fakes import FakeChip, FakeTime
from iot import https
from stream import Stream

URL = "https://bucket.example/pictures/1.jpg?X-Amz-Signature=pear"
SECRET = "pear"
OK = answer("200 OK", 'ETag: "abc"', "Content-Length: 0")


def request(*arguments, **options):
    return https.request(bytearray(4096), *arguments, **options)


class Server:
    """In the place of iot.tls's Opener. `says` is called with the stream after each piece that comes."""

    def __init__(self, says, most_per_read=1 << 16, open_error=None):
        self.says = says
        self.got = b""
        self.pieces = []
        self.stream = None
        self._most_per_read = most_per_read
        self._open_error = open_error
        https.Opener = self

    def __call__(self, host, port, load):
        self.opened = host, port, load
        return self

    async def open(self):
        if self._open_error:
            raise self._open_error
        self.stream = Stream(self)
        self.stream.most_per_read = self._most_per_read
        return self.stream

    def take(self, stream, data):
        self.got += data
        self.pieces.append(len(data))
        self.says(stream)

    @property
    def head(self):
        return str(self.got.partition(b"\r\n\r\n")[0], "utf-8").split("\r\n")

    @property
    def body(self):
        return self.got.partition(b"\r\n\r\n")[2]


def at_once(text):
    """Says that, whatever comes, and hangs up."""

    def says(stream):
        if not stream._ended:
            stream.feed(text)
            stream.hang_up()

    return says


def once_it_has(server_size, text):
    """Says that once it has got so many bytes of a body."""

    def says(stream):
        server = stream._broker
        if len(server.body) >= server_size and b"\r\n\r\n" in server.got:
            stream.feed(text)

    return says


class Body:
    """A picture of `size` bytes that never lies in memory; `waits`: brought by a coroutine."""

    def __init__(self, size, most=4096, waits=False):
        self.size, self.at, self.views = size, 0, []
        self._most, self._waits = most, waits

    def read(self, view):
        self.views.append(len(view))
        count = min(len(view), self._most, self.size - self.at)
        for i in range(count):
            view[i] = (self.at + i) * 7 & 255
        self.at += count
        return self._later(count) if self._waits else count

    async def _later(self, count):
        await asyncio.sleep_ms(0)
        return count


async def test_a_body_goes_through_one_buffer_whatever_its_pieces():
    expected = bytes([at * 7 & 255 for at in range(10_000)])
    for most, waits in ((4096, False), (4096, True), (1000, False), (999, True)):
        server = Server(once_it_has(10_000, OK))
        body = Body(10_000, most, waits)
        status, headers, text = await request(
            "PUT", URL, "load", body.read, 10_000, {"Content-Type": "image/jpeg", "ETag": None}
        )
        assert (status, headers, text) == (200, {"etag": '"abc"'}, b"")
        assert server.opened == ("bucket.example", 443, "load") and server.body == expected
        assert max(body.views) <= 4096 and max(server.pieces) <= 4096 and server.stream.closed
        assert server.head[0] == "PUT /pictures/1.jpg?X-Amz-Signature=pear HTTP/1.1"
        for line in ("Host: bucket.example", "Content-Length: 10000", "Content-Type: image/jpeg"):
            assert line in server.head, line
        assert not [line for line in server.head if line.startswith(("ETag", "Transfer"))]


async def test_bytes_go_as_they_are_and_none_with_no_length():
    for body in (b"", b"x" * 9000, bytearray(b"abc")):
        server = Server(once_it_has(len(body), OK))
        assert (await request("PUT", URL, "load", body))[0] == 200
        assert server.body == body and "Content-Length: {}".format(len(body)) in server.head
    server = Server(at_once(answer("200 OK", body=b"all")))
    assert await request("GET", URL, "load") == (200, {}, b"all")
    assert not [line for line in server.head if line.startswith("Content-Length")]


async def test_an_answer_before_the_end_ends_what_is_sent():
    for status in (403, 500, 307):
        text = answer(
            "{} X".format(status), "Location: https://else.example/", "Content-Length: 2", body=b"no"
        )
        for says in (at_once(text), once_it_has(5000, text)):
            server, body = Server(says), Body(1 << 20)
            assert await request("PUT", URL, "load", body.read, body.size, {"Location": None}) == (
                status,
                {"location": "https://else.example/"},
                b"no",
            )
            assert body.at < 20_000 and server.stream.closed, "no redirect is followed, nor more sent"


async def test_a_server_that_answers_and_reads_no_more_is_heard():
    def says(stream):
        if len(server.body) > 8000:
            stream.feed(answer("403 No", "Content-Length: 0"))
            raise OSError(104)

    server, body = Server(says), Body(1 << 20)
    assert (await request("PUT", URL, "load", body.read, body.size))[0] == 403


async def test_what_is_said_meanwhile_is_passed_over():
    hello = b"HTTP/1.1 100 Continue\r\n\r\n"
    for most in (1 << 16, 1):
        Server(once_it_has(10, hello + b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK), most)
        assert (await request("PUT", URL, "load", b"x" * 10))[0] == 200


async def test_answers_with_a_body_as_servers_have_them():
    long = b"0123456789" * 200
    for text, body in (
        (answer("200 OK", "Content-Length: 2000", body=long), long[:1024]),
        (answer("200 OK", body=long), long[:1024]),
        (
            answer("403 No", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"),
            b"abcdefg",
        ),
        (answer("403 No", "Transfer-Encoding: chunked", body=b"800\r\n" + long), long[:1019]),
        (answer("403 No", "Transfer-Encoding: chunked", body=b"-5\r\nabc\r\n"), b""),
        (answer("204 None", body=b""), b""),
        (answer("304 Not", "Content-Length: 7", body=b""), b""),
    ):
        for most in (1 << 16, 100, 1):
            Server(at_once(text), most)
            assert (await request("GET", URL, "load"))[2] == body, text[:60]
    into = bytearray(1500)
    Server(at_once(answer("200 OK", "Content-Length: 2000", body=long)))
    assert bytes((await request("GET", URL, "load", into=into))[2]) == long[:1500] == bytes(into)
    Server(at_once(answer("200 OK", "Content-Length: 2000")))
    assert await request("HEAD", URL, "load") == (200, {}, b"")


async def test_what_ends_too_early_stands_still_or_is_no_http_is_told_with_the_host():
    bomb = b"".join([b"x%d: y\r\n" % i for i in range(3000)])
    cases = (
        (at_once(b""), OSError, "the server has ended the connection"),
        (at_once(b"HTTP/1.1 200"), OSError, "the server has ended the connection"),
        (at_once(answer("200 OK", "Content-Length: 9", body=b"x")), OSError, "has ended the connection"),
        (at_once(b"SSH-2.0-OpenSSH\r\n\r\n"), ValueError, "no answer of HTTP"),
        (at_once(b"HTTP/1.1 " + b" " * 5000), ValueError, "a head of over"),
        (at_once(b"HTTP/1.1 200 OK\r\n" + bomb), ValueError, "a head of over"),
        (
            at_once(answer("200 OK", "Transfer-Encoding: chunked", body=b"pear\r\n\r\n")),
            ValueError,
            "no chunk",
        ),
    )
    for says, kind, text in cases:
        for body in (None, b"x" * 5000):
            server = Server(says)
            with FakeChip():
                error = await araises(kind, text, request("POST", URL, "load", body))
            assert str(error).startswith("bucket.example: ") and SECRET not in str(error)
            assert server.stream.closed
    for raised, kind, text in (
        (OSError(104), OSError, "bucket.example: "),
        (OSError(-202), OSError, "bucket.example: errno -202"),
        (
            ValueError("The certificate\nis not correctly signed"),
            ValueError,
            "The certificate is not correctly",
        ),
        (MemoryError(), OSError, "bucket.example: no memory"),
    ):
        Server(None, open_error=raised)
        with FakeChip():
            assert SECRET not in str(await araises(kind, text, request("GET", URL, "load")))
    Server(None, open_error=ValueError("invalid cert"))
    with FakeChip(largest=3000):  # which may pass
        await araises(OSError, "bucket.example: invalid cert", request("GET", URL, "load"))


class Quick:
    """`asyncio` whose deadlines are a thousand times as short."""

    def __enter__(self):
        https.asyncio = self

    def __exit__(self, *error):
        https.asyncio = asyncio

    def __getattr__(self, name):
        return getattr(asyncio, name)

    def wait_for_ms(self, waits_for, timeout_ms):
        return asyncio.wait_for_ms(waits_for, timeout_ms // 1000)


async def test_each_step_has_its_deadline_and_so_has_all_of_it():
    def sticks(stream):
        stream.stuck = len(server.body) > 5000

    async def never(view):
        await asyncio.sleep_ms(100_000)

    class Opening(Server):
        async def open(self):
            await asyncio.sleep_ms(100_000)

    for server, body in (
        (Opening(None), b""),  # it does not open
        (Server(lambda stream: None), b"x"),  # nothing is answered
        (Server(at_most(b"HTTP/1.1 20")), b""),  # or the half of it
        (Server(sticks), b"x" * 20_000),  # it takes no more
        (Server(lambda stream: None), never),  # nothing is there to be sent
    ):
        https.Opener = server
        with Quick(), FakeChip():
            error = await araises(
                OSError, "bucket.example: nothing came for", request("PUT", URL, "load", body, 9)
            )
        assert SECRET not in str(error)

    def trickles(view):
        https.time.now_ms += 900
        return 1

    Server(lambda stream: None)
    https.time = FakeTime()
    try:
        with FakeChip():  # each piece comes in time
            await araises(OSError, "bucket.example: slower than", request("PUT", URL, "load", trickles, 1000))
        assert 0 < https.time.now_ms < 70_000
    finally:
        https.time = time


def at_most(text):
    """Says that, and no more."""
    return lambda stream: stream.feed(text)


async def test_a_body_that_is_too_short_ends_the_request():
    for body in (Body(9000).read, lambda view: 0, lambda view: None, lambda view: 5000):
        server = Server(once_it_has(10_000, OK))
        with FakeChip():
            await araises(ValueError, "of 10000 bytes", request("PUT", URL, "load", body, 10_000))
        assert server.stream.closed

    def breaks(view):
        raise RuntimeError("the camera's own")

    server = Server(once_it_has(10_000, OK))
    await araises(RuntimeError, "the camera's own", request("PUT", URL, "load", breaks, 10_000))
    assert server.stream.closed


async def test_what_cannot_be_asked_is_refused_before_anything_is_opened():
    server = Server(None)
    for headers in (
        {"Host": "other.example"},
        {"content-length": 5},
        {"Transfer-Encoding": "chunked"},
        {"X": "pear\r\nY: z"},
        {"X\r\nY": "pear"},
        {"X: Y": "pear"},
        {"": "pear"},
    ):
        assert SECRET not in str(
            await araises(ValueError, "headers: ", request("GET", URL, "load", headers=headers))
        )
    for method in ("get", "G T", "PUT /x HTTP/1.1\r\nX:", ""):
        await araises(ValueError, "method: ", request(method, URL, "load"))
    for url in ("http://a/b?pear", "https://user@a/pear", "https://a/pear b", "https://a/" + "p" * 2500):
        assert SECRET not in str(
            await araises(ValueError, "url: not https://HOST/", request("GET", url, "load"))
        )
    assert not hasattr(server, "opened")


async def test_who_cancels_it_leaves_nothing_open():
    server = Server(lambda stream: None)
    task = asyncio.create_task(request("PUT", URL, "load", b"x" * 9000))
    while not server.stream or len(server.body) < 9000:
        await asyncio.sleep_ms(1)
    task.cancel()
    await araises(asyncio.CancelledError, "", task)
    assert server.stream.closed
