# The line to the world process: one JSON line each way, and the device waits for the answer.

import json

import usocket

_line = [None]


def connect(host, port, mac):
    """Open the line for the chip with this MAC address and return what the chip keeps over a reset."""
    connection = usocket.socket()
    connection.connect(usocket.getaddrinfo(host, port)[0][-1])
    _line[0] = connection
    _send(mac)
    return call("hello")


def call(operation, *arguments):
    """Ask the world; raises OSError with what it refuses, SystemExit once there is no world any more."""
    _send([operation, arguments])
    answer = b""
    while not answer.endswith(b"\n"):
        part = _line[0].recv(4096)
        if not part:
            raise SystemExit
        answer += part
    answer = json.loads(answer)
    if "error" in answer:
        raise OSError(*answer["error"])
    return answer["value"]


def _send(message):
    data = memoryview(json.dumps(message).encode() + b"\n")
    while data:
        data = data[_line[0].send(data) :]
