"""What a server of files may say, for both who read it: iot.ota.download, and the rescue's own."""

FILE = bytes(range(256)) * 40
_SIZE = str(len(FILE))


def answer(status, *fields, body=b""):
    lines = ["HTTP/1.1 " + status] + list(fields) + ["", ""]
    return "\r\n".join(lines).encode() + body


def part(start, body=None):
    bounds = "Content-Range: bytes {}-{}/{}".format(start, len(FILE) - 1, len(FILE))
    length = "content-length: {}".format(len(FILE) - start)
    return answer("206 Partial Content", bounds, length, body=FILE[start:] if body is None else body)


#: What is none of the file, and how it is refused.
REFUSED = (
    (answer("404 Not Found"), "status 404"),
    (answer("204 No Content"), "status 204"),
    (answer("200 OK", "Content-Length: 9"), "not the file's 10240 bytes from 0 on"),
    (answer("200 OK", "Content-Length: -1"), "not the file's"),
    (answer("200 OK", "Content-Length: " + _SIZE + "0"), "not the file's"),
    (answer("206 OK", "Content-Length: " + _SIZE), "not the file's"),
    (answer("206 OK", "Content-Range: bytes 1-10239/10240"), "not the file's"),
    (answer("206 OK", "Content-Range: bytes 0-10239/*"), "not the file's"),
    (b"SSH-2.0-OpenSSH\r\n\r\n", "no answer of HTTP"),
    (b"HTTP/1.1\r\n\r\n", "no answer of HTTP"),
    (b"HTTP/1.1 abc OK\r\n\r\n", "no answer of HTTP"),
    (b"\r\n\r\n", "no answer of HTTP"),
    (answer("200 OK", "X: " + "y" * 2000), "a head of over 1024 bytes"),
)
