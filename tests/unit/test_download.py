"""A file by HTTPS from a server that says what it is told to say."""

from answers import FILE, REFUSED, answer, part
from check import araises, raises
from iot.ota import download
from iot.ota.download import Refused, get, split
from stream import Stream

URL = "https://files.example/a/b?X-Amz-Signature=pear"


class Server:
    """In the place of iot.tls's Opener: each stream gets the next of the answers."""

    def __init__(self, *answers, most_per_read=1 << 16):
        self.answers = list(answers)
        self.requests = []
        self.opened = []
        self._most_per_read = most_per_read
        download.Opener = self

    def __call__(self, host, port, load):
        self.opened.append((host, port, load))
        return self

    async def open(self):
        stream = Stream(self)
        stream.most_per_read = self._most_per_read
        return stream

    def take(self, stream, data):
        self.requests.append(str(data, "utf-8"))
        stream.feed(self.answers.pop(0))
        stream.hang_up()

    async def get(self, start=0):
        pieces = []
        await get(URL, "load", start, len(FILE), bytearray(1024), lambda view: pieces.append(bytes(view)))
        return b"".join(pieces)


async def test_a_file_comes_in_its_order_whatever_the_pieces():
    for most in (1 << 16, 700, 7, 1):
        for start in (0, 1, 5000, len(FILE) - 1):
            server = Server(part(start), most_per_read=most)
            assert await server.get(start) == FILE[start:]
            assert server.opened == [("files.example", 443, "load")]
    lines = server.requests[0].split("\r\n")
    assert lines[0] == "GET /a/b?X-Amz-Signature=pear HTTP/1.1" and "Host: files.example" in lines
    assert "Range: bytes={}-".format(len(FILE) - 1) in lines and "Connection: close" in lines


async def test_a_server_that_knows_no_ranges_gives_all_of_it():
    for start in (0, 1, 1000, 1024, 5000):
        for most in (1 << 16, 100):
            whole = answer("200 OK", "Content-Length: {}".format(len(FILE)), body=FILE)
            assert await Server(whole, most_per_read=most).get(start) == FILE[start:]


async def test_no_more_is_taken_than_the_file_has():
    """TUF's endless data."""
    assert await Server(part(0, FILE + bytes(100_000))).get() == FILE
    assert await Server(answer("200 OK", body=FILE + b"more")).get() == FILE


async def test_what_ends_too_early_is_no_refusal():
    for body in (b"", FILE[:-1], FILE[:100]):
        await araises(OSError, "the server has ended the connection", Server(part(0, body)).get())
    await araises(OSError, "the server has ended the connection", Server(b"HTTP/1.1 200").get())


async def test_answers_that_are_not_the_file_are_refused():
    size = str(len(FILE))
    for told, text in REFUSED + (
        (answer("403 Forbidden"), "files.example: status 403"),
        (answer("200 OK", "Transfer-Encoding: chunked", "Content-Length: " + size), "another coding"),
        (answer("200 OK", "Content-Encoding: gzip"), "another coding"),
    ):
        error = await araises(Refused, text, Server(told).get())
        assert "pear" not in str(error), "a part of the URL"
    assert (await araises(Refused, "", Server(answer("403 Forbidden")).get())).status == 403
    for status in ("429 Too Many", "500 Internal", "503 Slow Down"):  # a moment later it may have it
        await araises(OSError, "files.example: status " + status[:3], Server(answer(status)).get())


async def test_it_goes_on_to_another_path_of_the_same_host_alone():
    for status in ("301 a", "302 a", "303 a", "307 a", "308 a"):
        server = Server(answer(status, "Location: https://files.example/c?d=1"), part(0))
        assert await server.get() == FILE
        assert server.requests[1].startswith("GET /c?d=1 HTTP/1.1\r\n")
    server = Server(answer("302 a", "Location: /e"), part(0))
    assert await server.get() == FILE and server.requests[1].startswith("GET /e ")
    for where, text in (
        ("https://other.example/c", "files.example: sends to another host, other.example"),
        ("http://files.example/c", "url: not https://HOST/"),
        ("", "url: not https://HOST/"),
    ):
        await araises(Refused, text, Server(answer("302 a", "Location: " + where)).get())
    moved = answer("302 a", "Location: /e")
    await araises(Refused, "sends on and on", Server(*[moved] * 5).get())


def test_urls():
    assert split("https://a/") == ("a", 443, "/")
    assert split("https://a.b:8443/c/d?e=f&g=h#i") == ("a.b", 8443, "/c/d?e=f&g=h")
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
    ):
        raises(Refused, "url: not https://HOST/", split, url)
