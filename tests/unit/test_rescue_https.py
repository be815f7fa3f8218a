"""The rescue's own HTTPS: a file out of whatever a server says, in whatever pieces."""

from answers import FILE, REFUSED, answer, part
from check import araises, raises
from iot.rescue import https


class Stream:
    """What does not block: some bytes at a time, nothing in between, then the end."""

    def __init__(self, data, most):
        self._data = data
        self._most = most
        self._ready = False

    def readinto(self, view):
        self._ready = not self._ready
        if not self._ready:
            return None
        piece = self._data[: min(len(view), self._most)]
        view[: len(piece)] = piece
        self._data = self._data[len(piece) :]
        return len(piece)


async def received(answer, start=0, most=1 << 16):
    pieces, fed = [], []
    take = lambda view: pieces.append(bytes(view))  # noqa: E731
    buffer = bytearray(1024)
    stream = Stream(answer, most)
    https.asyncio = Quick
    await https.receive("files.example", stream, start, len(FILE), buffer, take, lambda: fed.append(1))
    assert fed
    return b"".join(pieces)


class Quick:
    """`asyncio` that does not wait."""

    @staticmethod
    async def sleep_ms(ms):
        pass


async def test_a_file_comes_in_its_order_whatever_the_pieces():
    for most in (1 << 16, 700, 7):
        for start in (0, 1, 5000, len(FILE) - 1):
            assert await received(part(start), start, most) == FILE[start:]


async def test_a_server_that_knows_no_ranges_gives_all_of_it():
    for start in (0, 1, 1000, 1024, 5000):
        for most in (1 << 16, 100):
            whole = answer("200 OK", "Content-Length: {}".format(len(FILE)), body=FILE)
            assert await received(whole, start, most) == FILE[start:]


async def test_no_more_is_taken_than_the_file_has():
    assert await received(part(0, FILE + bytes(100_000))) == FILE
    assert await received(answer("200 OK", body=FILE + b"more")) == FILE


async def test_what_ends_too_early_may_be_gone_on_with():
    for body in (b"", FILE[:-1], FILE[:100]):
        await araises(OSError, "", received(part(0, body)))
    await araises(OSError, "", received(b"HTTP/1.1 200"))
    for status in ("401 a", "403 Forbidden", "410 a", "429 a", "500 a", "503 Slow Down"):
        await araises(OSError, "files.example: status " + status[:3], received(answer(status)))


async def test_answers_that_are_not_the_file_are_refused():
    size = str(len(FILE))
    for told, text in REFUSED + (
        (answer("302 Found", "Location: https://files.example/b"), "status 302"),
        (answer("200 OK", "Transfer-Encoding: chunked", "Content-Length: " + size), "not the file's"),
        (answer("200 OK", "Content-Encoding: gzip"), "not the file's"),
    ):
        await araises(ValueError, text, received(told))


def test_urls():
    assert https.split("https://a/") == ("a", 443, "/")
    assert https.split("https://a.b:8443/c/d?e=f&g=h#i") == ("a.b", 8443, "/c/d?e=f&g=h")
    for url in (
        "http://a/b",
        "https://a",
        "https:///b",
        "https://user@a/b",
        "https://a:x/b",
        "https://a/b c",
        "https://a/b\r\nX: y",
        "https://a/\u00e4",
        "https://a/" + "b" * 2500,
        "",
        "a/b",
        None,
        7,
    ):
        raises(ValueError, "url: not https://HOST/", https.split, url)
