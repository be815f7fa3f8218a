"""What a phone may ask for once it has proved itself (docs/ble.md, Requests and answers)."""

import json

from micropython import const

from iot.ble.codes import Refused, answer

AUTH = const(1)
CONFIG = const(2)
STATUS = const(3)
DATA = const(4)

_BEGIN = const(1)
_ADD = const(2)
_COMMIT = const(3)
_GET = const(1)
_SCAN = const(2)
_TIME = const(3)


class Requests:
    """Answers at once; what takes time is begun here and done by the Setup.

    Args:
        setup: has `document`, `status()`, `begin_scan()`, `begin_commit()`, `committing` and `received()`.
        packets: the Packets of the application.
        tell_time: takes the phone's time, seconds since 1970; ValueError, OSError. None: nobody takes it.
    """

    def __init__(self, setup, packets, tell_time=None):
        self._setup = setup
        self._packets = packets
        self._tell_time = tell_time

    def answer(self, channel, request):
        """The plaintext of the answer to a request's plaintext (bytes) on a characteristic, 2 to 4."""
        if channel == DATA:
            return self._packet(request)
        op, body = request[0], request[1:]
        try:
            return _json(self._config(op, body) if channel == CONFIG else self._status(op, body))
        except Refused as error:
            return _json(answer(op, error.name, error.detail, **error.extra))

    def _config(self, op, body):
        document = self._setup.document
        if op not in (_BEGIN, _ADD, _COMMIT):
            raise Refused("INVALID_REQUEST")
        if self._setup.committing:
            raise Refused("BUSY")
        if op == _COMMIT:
            self._setup.begin_commit()
            return answer(op, "IN_PROGRESS")
        document.begin(body) if op == _BEGIN else document.add(body)
        self._setup.received()
        return answer(op, at=document.at)

    def _status(self, op, body):
        if op == _GET:
            return answer(op, **self._setup.status())
        if op == _SCAN:
            self._setup.begin_scan()
            return answer(op)
        if op == _TIME and len(body) == 4 and self._tell_time:
            try:
                self._tell_time(int.from_bytes(body, "big"))
            except ValueError as error:
                raise Refused("INVALID_VALUE", str(error))
            except OSError as error:
                raise Refused("STORAGE_FAILED", str(error))
            return answer(op)
        raise Refused("INVALID_REQUEST")

    def _packet(self, packet):
        size = packet[0]
        try:
            name = str(packet[1 : 1 + size], "utf-8")
        except ValueError:  # UnicodeError is one
            name = ""
        known = 0 < size < len(packet) and self._packets.deliver(name, packet[1 + size :])
        return b"\0" + _json(answer(None, "SUCCESS" if known else "INVALID_REQUEST"))


def committed(name, detail="", **members):
    """The plaintext of a commit's last answer."""
    return _json(answer(_COMMIT, name, detail, **members))


def refused(channel, error):
    """The plaintext that answers what could not be read as a request on a characteristic, 2 to 4."""
    text = _json(answer(None, error.name, error.detail))
    return b"\0" + text if channel == DATA else text


def packet(name, payload):
    """The plaintext that carries a packet of the application."""
    name = name.encode()
    return bytes((len(name),)) + name + payload


def _json(members):
    return json.dumps(members).encode()
