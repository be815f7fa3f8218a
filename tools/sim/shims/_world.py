# The line to the world process: one JSON line each way, and the device waits for the answer.

import _thread
import json

import usocket

_line = [None]
_place = []  # address of the world, and this chip's in it
_lock = _thread.allocate_lock()  # one question at a time, whichever thread asks


def connect(host, port, mac):
    """Open the line for the chip with this MAC address and return what the chip keeps over a reset."""
    _place[:] = usocket.getaddrinfo(host, port)[0][-1], mac
    _line[0] = _open()
    return call("hello")


def call(operation, *arguments):
    """Ask the world; raises OSError with what it refuses, SystemExit once there is no world any more."""
    with _lock:
        line, _line[0] = _line[0] or _open(), None  # broken off, its answer would be taken for the next one's
        try:
            value = _ask(line, operation, arguments)
        except (OSError, SystemExit):
            _line[0] = line
            raise
        _line[0] = line
        return value


def ask(operation, *arguments):
    """As `call`, on a line of its own: for a question whose answer takes long, so that threads can call."""
    line = _open()
    try:
        return _ask(line, operation, arguments)
    finally:
        line.close()


def listen(operation, *arguments):
    """Open a second line, on which the world talks by itself from now on; a socket that does not block."""
    line = _open()
    _send(line, [operation, arguments])
    line.setblocking(False)
    return line


def _ask(line, operation, arguments):
    _send(line, [operation, arguments])
    answer = b""
    while not answer.endswith(b"\n"):
        part = line.recv(4096)
        if not part:
            raise SystemExit
        answer += part
    answer = json.loads(answer)
    if "error" in answer:
        raise OSError(*answer["error"])
    return answer["value"]


def _open():
    line = usocket.socket()
    line.connect(_place[0])
    _send(line, _place[1])
    return line


def _send(line, message):
    data = memoryview(dumps(message))
    while data:
        data = data[line.send(data) :]


def dumps(message):
    """A message as a line."""
    return json.dumps(message).encode() + b"\n"


def loads(line):
    """The message of a line."""
    return json.loads(line)
