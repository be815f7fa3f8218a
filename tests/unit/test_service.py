"""The GATT service on a radio that does as told: how long it advertises, whom it hears, when it hangs up."""

import asyncio
import errno
import sys

from check import araises
from fakes import FakeLog, FakeTime, forget

DAY_MS = 86400000


class Radio(FakeTime):
    """The modules `aioble`, `bluetooth`, `time` and `asyncio` for the service within a `with`.

    outcomes: what becomes of each time it is asked to advertise: an exception, None or a connection;
        then nobody comes any more.
    asked: for how many ms it was asked each time.
    """

    TimeoutError, CancelledError = asyncio.TimeoutError, asyncio.CancelledError

    def create_task(self, coroutine):
        return asyncio.create_task(coroutine)

    async def wait_for_ms(self, waiting, timeout_ms):
        """It has come already, or the time goes by."""
        task = asyncio.create_task(waiting)
        try:
            for _ in range(3):
                await asyncio.sleep_ms(0)
            if task.done():
                return await task
        finally:
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        self.now_ms += timeout_ms
        raise asyncio.TimeoutError

    # The module aioble.

    def config(self, **options):
        self.options = options

    def Service(self, uuid):
        return self

    def BufferedCharacteristic(self, service, uuid, **options):
        assert options["max_len"] == 244 and options["capture"] and options["notify"]
        return Characteristic(self)

    def register_services(self, service):
        self.registered = True

    def stop(self):
        self.stopped = True

    def __init__(self, *outcomes):
        FakeTime.__init__(self)
        self.outcomes = list(outcomes)
        self.asked = []
        self.log = FakeLog()

    def ticks_diff(self, later, earlier):
        return (later - earlier + (1 << 29)) % (1 << 30) - (1 << 29)

    def UUID(self, text):
        return text

    async def advertise(self, interval_us, name, services, timeout_ms):
        assert 0 < timeout_ms < 1 << 29, "longer than MicroPython can wait"
        self.asked.append(timeout_ms)
        outcome = self.outcomes.pop(0) if self.outcomes else asyncio.TimeoutError()
        if isinstance(outcome, asyncio.TimeoutError):
            self.now_ms += timeout_ms
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def welcome(self, limit_ms):
        """Run what welcomes phones, of which it serves none."""

        async def pause():
            pass

        async def serve(connection):
            return False

        service = self.module.Service("esp32", b"", None, pause, self.log, None)
        service._serve = serve
        await service._welcome(limit_ms, False)

    def __enter__(self):
        self._before = {name: sys.modules.get(name) for name in ("aioble", "bluetooth")}
        sys.modules["aioble"] = sys.modules["bluetooth"] = self
        forget("iot.ble.service")
        from iot.ble import service

        self.module = service
        service.asyncio = service.time = self
        return self

    def __exit__(self, *error):
        forget("iot.ble.service")
        for name, before in self._before.items():
            del sys.modules[name]
            if before:
                sys.modules[name] = before


async def test_a_time_of_weeks_is_advertised_in_pieces():
    for limit_ms in (1, 900000, DAY_MS, 10 * DAY_MS, 365 * DAY_MS):
        with Radio() as radio:
            await radio.welcome(limit_ms)
        assert sum(radio.asked) == limit_ms


async def test_a_radio_that_fails_is_asked_again_and_the_time_goes_on():
    errors = [OSError(12), MemoryError(), OSError("x")] * 3
    with Radio(*errors, object(), *errors) as radio:
        await radio.welcome(10000)
    assert len(radio.asked) == 20 and 5000 < radio.asked[-1] < 9000
    assert len(radio.log.lines) == 18


async def test_a_radio_that_never_works_is_a_failure():
    with Radio(*[OSError(19)] * 10) as radio:
        await araises(OSError, "19", radio.welcome(10000))


async def test_a_cancellation_passes():
    with Radio(None) as radio:
        await araises(asyncio.CancelledError, "", radio.welcome(10000))


class Characteristic:
    """One of the four: what the phone writes comes out of `written`, what the device sends is in `sent`."""

    def __init__(self, radio):
        self.radio = radio
        self.value = None
        self.sent = []
        self.errors = []
        self._writes = []
        self._wrote = asyncio.Event()

    def put(self, connection, frame):
        self._writes.append((connection, frame))
        self._wrote.set()

    async def written(self):
        while not self._writes:
            self._wrote.clear()
            await self._wrote.wait()
        return self._writes.pop(0)

    def write(self, value):
        self.value = value

    def notify(self, connection, frame):
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(bytes(frame))


class Phone:
    """A connection. stays_ms: for how long."""

    mtu = None

    def __init__(self, radio, stays_ms=100_000):
        self.device = self
        self.hung_up = False
        self._radio, self._end_ms = radio, radio.now_ms + stays_ms
        self.lets_go = True

    def addr_hex(self):
        return "c0:00:00:00:00:01"

    def is_connected(self):
        return not self.hung_up and self._radio.now_ms < self._end_ms

    async def disconnect(self, timeout_ms):
        if not self.lets_go:
            self._radio.now_ms += timeout_ms
            raise asyncio.TimeoutError
        self.hung_up = True


class Talk:
    """A Conversation: `frames` that came, what each does is up to the test."""

    def __init__(self, does=None):
        self.greeted = self.proven = False
        self.frames = []
        self._does = does

    async def frame(self, channel, frame):
        self.frames.append((channel, bytes(frame)))
        if self._does:
            await self._does(self)

    async def send(self, channel, plaintext):
        await self.transmit(channel, plaintext)


class Bench:
    """A service that has begun and serves a phone within `async with`."""

    def __init__(self, does=None, **phone):
        self.radio = Radio()
        self.talk = Talk(does)
        self.events, self.times = [], []
        self._phone = phone

    async def __aenter__(self):
        self.radio.__enter__()
        self.phone = Phone(self.radio, **self._phone)

        def converse(transmit):
            self.talk.transmit = transmit
            return self.talk

        async def pause():
            pass

        def notify(event, detail):
            self.events.append((event, detail))
            self.times.append(self.radio.now_ms)

        self.service = self.radio.module.Service("esp32", b"info", converse, pause, self.radio.log, notify)
        self.next_phone = Phone(self.radio)
        self.radio.outcomes = [self.phone, self.next_phone]
        self._running = asyncio.create_task(self.service.run(1000, False))
        while not self.events:
            await asyncio.sleep_ms(0)
        return self

    async def __aexit__(self, *error):
        self._running.cancel()
        try:
            await self._running
        except asyncio.CancelledError:
            pass
        self.radio.__exit__(*error)
        assert self.radio.stopped

    def writes(self, channel, *frames):
        for frame in frames:
            self.service._characteristics[channel - 1].put(self.phone, frame)

    async def gone(self):
        """Why the phone is gone."""
        while len(self.events) < 2:
            assert not self._running.done()
            await asyncio.sleep_ms(0)
        self.gone_ms = self.times[1]
        assert self.events[0] == ("ble_up", "c0:00:00:00:00:01") and self.events[1][0] == "ble_down"
        return self.events[1][1]


async def proves(talk):
    talk.greeted = talk.proven = True


async def greets(talk):
    talk.greeted = True


async def test_it_is_there_in_full_and_then_is_not():
    async with Bench() as b:
        assert b.radio.options == {"mtu": 247, "gap_name": "esp32"} and b.radio.registered
        assert len(b.service._characteristics) == 4
        for number, characteristic in enumerate(b.service._characteristics):
            characteristic.value = b"what the phone wrote"
            assert characteristic.on_read(b.phone) == 0
            assert characteristic.value == (b"" if number else b"info")


async def test_who_says_nothing_is_shown_out():
    for does, reason, least_ms, most_ms in (
        (None, "no hello", 10_000, 11_000),
        (greets, "no proof", 30_000, 31_000),
        (proves, "no frame", 30_000, 31_000),
    ):
        async with Bench(does) as b:
            b.writes(1, b"\xc0x")
            assert await b.gone() == reason and b.phone.hung_up
            assert least_ms < b.gone_ms < most_ms, (reason, b.gone_ms)


async def test_who_has_proved_itself_and_asks_may_stay():
    async with Bench(proves) as b:
        asked = 0
        while b.radio.now_ms < 90_000:
            assert not b._running.done()
            if b.radio.now_ms // 20_000 >= asked:
                asked += 1
                b.writes(3 if asked > 1 else 1, b"\xc0\x01")
            await asyncio.sleep_ms(0)
        assert len(b.events) == 1 and b.service.proven()


async def test_who_leaves_is_gone():
    async with Bench(stays_ms=700) as b:
        assert await b.gone() == "it disconnected" and not b.service.proven()


async def test_whatever_a_frame_brings_about_ends_its_connection_alone():
    for error, reason, in_log in (
        (OSError("it disconnected"), "it disconnected", False),
        (MemoryError(), "MemoryError", True),
        (KeyError("pear"), "KeyError", True),
        (None, "a wrong code", False),
    ):

        async def raises_it(talk, error=error):
            from iot.ble.conversation import Ended

            raise error or Ended("a wrong code")

        async with Bench(raises_it) as b:
            b.writes(1, b"\xc0x")
            assert await b.gone() == reason and b.phone.hung_up
            assert any(["a connection failed" in line for line in b.radio.log.lines]) == in_log


async def test_what_a_reader_raises_ends_the_connection_and_the_next_one_is_heard():
    if sys.implementation.name != "cpython":
        return  # which also tells of an error that is fetched a moment later, and the test fails by that
    async with Bench() as b:
        characteristic = b.service._characteristics[1]
        written, failures = characteristic.written, [MemoryError()]

        async def fails_once():
            frame = await written()
            if failures:
                raise failures.pop()
            return frame

        characteristic.written = fails_once
        b.writes(2, b"\xc0lost", b"\xc0lost")
        assert await b.gone() == "MemoryError"
        while len(b.events) < 3:
            await asyncio.sleep_ms(0)
        b.phone = b.next_phone
        b.writes(2, b"\xc0heard")
        while not b.talk.frames:
            await asyncio.sleep_ms(0)
        assert b.talk.frames == [(2, b"\xc0heard")]


async def test_before_the_proof_little_is_kept():
    """Of each frame no more than shows that it is too long, and few of them."""
    async with Bench() as b:
        b.writes(2, *[b"\x80" + bytes(243)] * 50)
        b.writes(1, b"\xc0last")
        while len(b.talk.frames) < 8:
            await asyncio.sleep_ms(0)
        assert all([len(frame) <= 69 for _, frame in b.talk.frames])
    async with Bench(proves) as b:
        b.writes(1, b"\xc0x")
        while not b.service.proven():
            await asyncio.sleep_ms(0)
        b.writes(2, *[b"\x80" + bytes(243)] * 20)
        while len(b.talk.frames) < 21:
            await asyncio.sleep_ms(0)
        assert all([len(frame) == 244 for _, frame in b.talk.frames[1:]])


async def test_frames_of_a_phone_that_is_gone_are_not_the_next_one_s():
    async with Bench() as b:
        b.service._characteristics[0].put(Phone(b.radio), b"\xc0old")
        b.writes(1, b"\xc0new")
        while not b.talk.frames:
            await asyncio.sleep_ms(0)
        assert b.talk.frames == [(1, b"\xc0new")]


async def test_a_message_goes_out_in_frames_of_the_mtu():
    async with Bench(proves) as b:
        b.writes(1, b"\xc0x")
        while not b.service.proven():
            await asyncio.sleep_ms(0)
        sent = b.service._characteristics[2].sent
        await b.service.send(3, b"a" * 40)
        assert [len(frame) for frame in sent] == [20, 20, 3], "23 until another is agreed on"
        sent.clear()
        b.phone.mtu = 247
        await b.service.send(3, b"a" * 300)
        assert [len(frame) for frame in sent] == [244, 58]


async def test_a_phone_that_takes_frames_slowly_gets_all_and_one_that_takes_none_is_given_up():
    async with Bench(proves) as b:
        b.writes(1, b"\xc0x")
        while not b.service.proven():
            await asyncio.sleep_ms(0)
        status = b.service._characteristics[2]
        full = OSError(errno.ENOMEM, "no buffers")
        status.errors = [full] * 50
        await b.service.send(3, b"x")
        assert status.sent == [b"\xc0x"]
        status.errors = [full] * 1000
        await araises(OSError, "the phone takes no frames", b.service.send(3, b"x"))
        status.errors = [OSError(errno.EINVAL, "no such connection")]
        await araises(OSError, "no such connection", b.service.send(3, b"x"))
        b.phone.hung_up = True
        await araises(OSError, "it disconnected", b.service.send(3, b"x"))


async def test_without_a_phone_nothing_is_sent():
    with Radio() as radio:
        service = radio.module.Service("esp32", b"", None, None, radio.log, None)
        await service.send(3, b"x")
        assert not service.proven()


async def test_a_phone_that_does_not_let_go_is_told_of():
    async with Bench() as b:
        b.phone.lets_go = False
        assert await b.gone() == "no hello"
        assert "the phone does not let go" in " ".join(b.radio.log.lines)


async def test_the_time_of_others_counts_for_a_quarter_where_the_device_has_something_to_do():
    for busy, times in ((True, 6), (False, 21)):
        with Radio(*[object()] * 20) as radio:

            async def pause():
                pass

            async def serve(connection):
                radio.now_ms += 8000
                return False

            service = radio.module.Service("esp32", b"", None, pause, radio.log, None)
            service._serve = serve
            await service._welcome(10_000, busy)
            assert len(radio.asked) == times, (busy, radio.asked)
