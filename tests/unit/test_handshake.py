"""Refused within the handshake: the alert that lies in the socket when the write above it has failed."""

import errno

from check import araises
from iot.mqtt.packet import MQTTError, Refused, Starved
from stream import Broker, Notes, Stream
from stream import client as made


class Socket:
    """What is below TLS: answers, one for each read; an exception is raised, the last one again and again."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.reads = 0

    def read(self, size):
        self.reads += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer and answer[:size]


class RefusedStream(Stream):
    """Its first write fails; `get_extra_info` knows the socket."""

    def __init__(self, broker, error, socket):
        super().__init__(broker)
        self.write_error = error
        self.socket = socket

    def get_extra_info(self, name):
        assert not self.closed, "looked for when it was closed already"
        return {"socket": self.socket}[name]


def client(error, socket, **options):
    broker = Broker()

    async def open_stream():
        broker.streams.append(RefusedStream(broker, error, socket))
        return broker.streams[-1]

    notes = Notes()
    return made(open_stream, notes, notes.notify, **options), broker


def alert(number, level=2):
    return bytes((21, 3, 3, 0, 2, level, number))


BROKEN = (OSError(errno.ECONNRESET, "ECONNRESET"), OSError(32, "EPIPE"), OSError(-104, ""))


async def test_every_alert_about_the_certificate_is_a_refusal():
    for error in BROKEN:
        for number, name in (
            (42, "bad certificate"),
            (46, "certificate unknown"),
            (48, "unknown CA"),
            (51, "alert number 51"),
        ):
            for late in (0, 3):  # reads that find nothing yet
                it, broker = client(error, Socket(*[None] * late + [alert(number)]))
                refused = await araises(Refused, "closed by the broker: TLS alert, " + name, it.connect())
                assert refused.code == number and it.refusals == 1
                assert broker.streams[-1].closed


async def test_a_server_that_took_leave_after_the_handshake_has_refused():
    """As it does with a certificate that is not ACTIVE: TLS's goodbye is encrypted then."""
    for error in BROKEN:
        it, _ = client(error, Socket(b"\x15\x03\x03\0\x1a" + bytes(26)))
        refused = await araises(Refused, "closed by the broker", it.connect())
        assert refused.code is None and it.refusals == 1


async def test_a_broken_connection_without_an_alert_is_none():
    others = (
        b"", None, OSError(errno.ECONNRESET, "again"), OSError(9, "EBADF"),
        alert(80), alert(90), alert(0), alert(48, level=1), alert(48)[:6],
        b"\x16\x03\x03\0\x02\2\x30", b"HTTP/1.1",
    )  # fmt: skip
    for error in BROKEN:
        for answer in others:
            socket = Socket(answer)
            it, broker = client(error, socket)
            raised = await araises(MQTTError, "", it.connect())
            assert not isinstance(raised, Refused) and it.refusals == 0, answer
            assert socket.reads <= 10 and broker.streams[-1].closed


async def test_streams_that_know_no_socket_do_as_well():
    class Empty(Stream):
        def get_extra_info(self, name):
            raise KeyError(name)

    for kind in (Stream, Empty):
        it, broker = client(None, None)
        stream = kind(broker)
        stream.write_error = BROKEN[0]

        async def open_stream(stream=stream):
            return stream

        it.open_stream = open_stream
        await araises(MQTTError, "", it.connect())
        assert it.refusals == 0 and stream.closed


async def test_numbers_are_told_as_what_they_are():
    it, _ = client(OSError(32), Socket(b""))
    await araises(MQTTError, "", it.connect())
    assert "32" in it.reason and not it.reason.isdigit()


async def test_an_alert_is_a_refusal_even_where_memory_is_short_and_its_absence_is_not():
    it, _ = client(BROKEN[0], Socket(alert(48)), is_starved=lambda error: True)
    await araises(Refused, "unknown CA", it.connect())
    it, _ = client(BROKEN[0], Socket(b""), is_starved=lambda error: True)
    await araises(Starved, "no memory for TLS: ", it.connect())


async def test_it_returns_or_raises_and_changes_nothing_that_is_the_clients():
    from iot.mqtt import handshake

    for begins in (True, False):
        it, broker = client(None if begins else BROKEN[0], Socket(alert(48)))
        it.subscribe("a")
        it.inbox.waiting.append(("b", b"x", 0, 0))
        before = {name: repr(getattr(it, name)) for name in ("refusals", "reason", "connected", "connection")}
        queued = it.inbox.due(), len(it.inbox.waiting), it.inbox.counts["unclaimed"]
        if begins:
            stream, session_present = await handshake.begin(it)
            assert stream is broker.streams[-1] and session_present is False and not stream.closed
        else:
            await araises(Refused, "unknown CA", handshake.begin(it))
        assert before == {name: repr(getattr(it, name)) for name in before}
        assert queued == (it.inbox.due(), len(it.inbox.waiting), it.inbox.counts["unclaimed"])
