"""Requests of a phone that has proved itself, and their answers."""

import json

from fakes import FakeLog
from iot.ble.codes import NAMES, Refused
from iot.ble.document import Document
from iot.ble.packets import Packets
from iot.ble.requests import Requests, committed, packet, refused
from phone import CONFIG, DATA, STATUS, begin, piece

TEXT = b"0123456789" * 200


class FakeSetup:
    def __init__(self):
        self.document = Document()
        self.committing = False
        self.calls = []

    def status(self):
        return {"mode": "CONFIG", "error": None}

    def begin_scan(self):
        self.calls.append("scan")

    def begin_commit(self):
        self.calls.append("commit")

    def received(self):
        self.calls.append(self.document.at)


class Bench:
    def __init__(self):
        self.setup, self.packets = FakeSetup(), Packets(FakeLog())
        self.requests = Requests(self.setup, self.packets)

    def ask(self, channel, request):
        return json.loads(self.requests.answer(channel, request))


def told(name, op=None, **members):
    """What an answer holds."""
    members["code"] = NAMES.index(name)
    members["name"] = name
    if op is not None:
        members["op"] = op
    return members


def test_numbers_of_the_result_codes():
    """docs/ble.md, Result codes."""
    for number, name in ((0, "SUCCESS"), (3, "ACCESS_DENIED"), (7, "WRONG_SSID"), (8, "INVALID_REQUEST")):
        assert NAMES[number] == name
    for number, name in ((11, "BUSY"), (14, "NO_ADDRESS"), (17, "STORAGE_FAILED"), (18, "LOCKED")):
        assert NAMES[number] == name
    for number, name in ((19, "UNSUPPORTED_VERSION"), (20, "OPEN_NETWORK"), (21, "NEEDS_PASSWORD")):
        assert NAMES[number] == name
    assert NAMES[22:] == ("OLD_SECURITY", "ENTERPRISE", "NOT_REACHED")


def test_a_document_is_handed_over():
    b = Bench()
    assert b.ask(CONFIG, begin(TEXT)) == told("SUCCESS", 1, at=0)
    assert b.ask(CONFIG, piece(TEXT, 0)) == told("SUCCESS", 2, at=1024)
    assert b.ask(CONFIG, piece(TEXT, 0)) == told("MISSING_PACKETS", 2, at=1024)
    assert b.ask(CONFIG, begin(TEXT)) == told("SUCCESS", 1, at=1024)
    assert b.ask(CONFIG, piece(TEXT, 1024)) == told("SUCCESS", 2, at=2000)
    assert b.ask(CONFIG, b"\3") == told("IN_PROGRESS", 3)
    assert b.setup.calls == [0, 1024, 1024, 2000, "commit"]
    assert b.setup.document.whole() == TEXT


def test_while_a_commit_is_under_way():
    b = Bench()
    b.ask(CONFIG, begin(TEXT))
    b.setup.committing = True
    for request in (begin(TEXT + b"x"), piece(TEXT, 0), b"\3"):
        assert b.ask(CONFIG, request) == told("BUSY", request[0])
    assert b.setup.document.at == 0 and b.setup.calls == [0]
    assert b.ask(STATUS, b"\1")["name"] == "SUCCESS"


def test_the_status():
    b = Bench()
    assert b.ask(STATUS, b"\1") == told("SUCCESS", 1, mode="CONFIG", error=None)
    assert b.ask(STATUS, b"\2") == told("SUCCESS", 2)
    assert b.setup.calls == ["scan"]


def test_requests_that_are_none():
    b = Bench()
    for op in (0, 4, 255):
        assert b.ask(CONFIG, bytes([op])) == told("INVALID_REQUEST", op)
    for op in (0, 4, 255):
        assert b.ask(STATUS, bytes([op]) + b"xyz") == told("INVALID_REQUEST", op)
    for request in (b"\1", begin(TEXT)[:-1], b"\2", b"\2\0\0\0\0", b"\2\0\0\0\0x"):
        assert b.ask(CONFIG, request) == told("INVALID_REQUEST", request[0])
    detail = "a configuration has 1 to 16384 bytes"
    assert b.ask(CONFIG, b"\1" + bytes(36)) == told("TOO_LARGE", 1, detail=detail)
    assert b.setup.calls == []


def test_packets_of_the_application():
    b = Bench()
    heard = []
    b.packets.on("é", heard.append)
    b.packets.on("x" * 16, heard.append)
    success, invalid = told("SUCCESS"), told("INVALID_REQUEST")
    for request, expected in (
        (b"\2\xc3\xa9", success),
        (b"\2\xc3\xa9" + bytes(1024), success),
        (b"\x10" + b"x" * 16 + b"1", success),
        (b"\2\xc3\xa9" + bytes(1025), invalid),
        (b"\1y1", invalid),
        (b"\0", invalid),
        (b"\0x", invalid),
        (b"\1", invalid),
        (b"\3\xc3\xa9", invalid),
        (b"\2\xc3\x28", invalid),
        (b"\1\xff", invalid),
        (b"\xff" + b"x" * 16, invalid),
    ):
        answer = b.requests.answer(DATA, request)
        assert answer[:1] == b"\0" and json.loads(answer[1:]) == expected, request
    assert heard == [b"", bytes(1024), b"1"]


def test_what_the_device_sends_on_its_own():
    assert packet("é", b"12") == b"\2\xc3\xa912"
    assert json.loads(committed("CONFIG_DONE")) == told("CONFIG_DONE", 3)
    error = Refused("INVALID_VALUE", "wifi[0].ssid: 1 to 32 bytes")
    assert json.loads(committed(error.name, error.detail)) == told("INVALID_VALUE", 3, detail=error.detail)
    assert json.loads(refused(CONFIG, Refused("MISSING_PACKETS"))) == told("MISSING_PACKETS")
    assert json.loads(refused(STATUS, Refused("TOO_LARGE", "x"))) == told("TOO_LARGE", detail="x")
    answer = refused(DATA, Refused("MISSING_PACKETS"))
    assert answer[:1] == b"\0" and json.loads(answer[1:]) == told("MISSING_PACKETS")


def test_the_phones_time():
    b = Bench()
    assert b.ask(STATUS, b"\3\x6a\0\0\1") == told("INVALID_REQUEST", 3), "nobody takes it"
    heard = []
    b.requests = Requests(b.setup, b.packets, heard.append)
    assert b.ask(STATUS, b"\3\xea\0\0\1") == told("SUCCESS", 3) and heard == [0xEA000001]
    for body in (b"", b"\1", b"\0" * 3, b"\0" * 5):
        assert b.ask(STATUS, b"\3" + body) == told("INVALID_REQUEST", 3)
    for error, name in ((ValueError("too early"), "INVALID_VALUE"), (OSError("full"), "STORAGE_FAILED")):

        def refuse(unix_s, error=error):
            raise error

        b.requests = Requests(b.setup, b.packets, refuse)
        assert b.ask(STATUS, b"\3\0\0\0\0") == told(name, 3, detail=str(error))
