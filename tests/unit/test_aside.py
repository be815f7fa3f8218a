"""MQTT steps aside for a request by HTTPS, and comes back whatever becomes of that."""

import asyncio

from check import araises
from fakes import FakeChip, FakeLog
from iot.events import Events
from iot.work import aside
from stream import Broker, client

DISCONNECT, PUBLISH = 0xE0, 0x30
PSRAM = 2 << 20


class Clock:
    async def ready(self):
        pass


class FakeCloud:
    def __init__(self, system, broker, packet_limit):
        self.turns = []
        self.client = client(broker.open_stream, FakeLog(), system.on_client, packet_limit=packet_limit)
        self.run = self.client.run
        self.opener = self
        self.context = "certificates"


class FakeSystem:
    """As far as a request has to do with it, connected to a broker; in the place of iot.https, too.

    until: an Event that the request waits for; it then raises `error`, if that is something.
    """

    mode, event, error = "NORMAL", None, None

    def __init__(self, packet_limit=512):
        self.log = FakeLog()
        self.events = Events(self.log)
        self.clock = Clock()
        self.broker = Broker()
        self.cloud = FakeCloud(self, self.broker, packet_limit)
        self.tasks = {"cloud": asyncio.create_task(self.cloud.run())}
        self.until = asyncio.Event()
        self.calm, self.asked, self.seen, self.rooms = True, [], [], []
        self.began = asyncio.Event()
        aside.borrow = lambda name: self
        self.https = aside.Aside(self).https

    def on_client(self, event, detail):
        if event == "connected":
            self.events.emit("cloud_up", detail)

    def tell(self, event, detail):
        assert event == "connecting"
        self.calm = not detail

    def store(self):
        return self

    def certificates(self):
        return {"root_ca": b"the configuration's"}

    async def request(self, buffer, method, url, load, *_):
        self.asked.append((method, load()[0]))
        self.rooms.append(len(buffer))
        self.seen.append(
            (self.cloud.client.connected, self.calm, [one.closed for one in self.broker.streams])
        )
        self.began.set()
        await self.until.wait()
        if self.error:
            raise self.error
        return 200, {}, b""

    async def up(self):
        while not self.cloud.client.connected:
            await asyncio.sleep_ms(1)

    async def end(self):
        """Nothing is left of it."""
        assert not self.cloud.turns and self.calm
        self.tasks.pop("cloud").cancel()
        await asyncio.sleep_ms(10)


def ask(system, method="PUT", **options):
    return asyncio.create_task(system.https(method, "https://a.example/", **options))


async def test_mqtt_takes_its_leave_and_comes_back_with_what_was_published_meanwhile():
    with FakeChip():
        system = FakeSystem()
        await system.up()
        asked = ask(system)
        await system.began.wait()
        assert system.seen == [(False, False, [True])], "there is one connection at a time"
        assert system.cloud.context is None and system.rooms == [512], "memory is lent, not taken"
        assert len(system.broker.sent(DISCONNECT)) == 1 and "cloud" not in system.tasks
        receipt = system.cloud.client.publish("a/b", b"meanwhile", 1)
        assert receipt and not await receipt.wait(20)
        system.until.set()
        assert await asked == (200, {}, b"")
        assert await receipt.wait(), "the outbox has kept it"
        assert system.asked == [("PUT", b"the configuration's")] and len(system.broker.streams) == 2
        await system.end()


async def test_of_a_larger_buffer_no_more_than_4_kib_is_lent():
    with FakeChip():
        system = FakeSystem(packet_limit=6144)
        await system.up()
        system.until.set()
        assert await ask(system) == (200, {}, b"") and system.rooms == [4096]
        await system.end()


async def test_what_was_on_its_way_is_acknowledged_before():
    with FakeChip():
        system = FakeSystem()
        await system.up()
        receipts = [system.cloud.client.publish("a/b", b"%d" % i, 1) for i in range(5)]
        asked = ask(system, root_ca="-----BEGIN")
        await system.began.wait()
        assert all([receipt.done for receipt in receipts]) and len(system.broker.sent(PUBLISH)) == 5
        system.until.set()
        await asked
        assert system.asked == [("PUT", b"-----BEGIN")]
        await system.end()


async def test_with_psram_both_stay():
    with FakeChip(largest=PSRAM):
        system = FakeSystem()
        await system.up()
        asked = ask(system)
        await system.began.wait()
        assert system.seen == [(True, True, [False])] and "cloud" in system.tasks
        assert system.cloud.context and system.rooms == [4096]
        assert await system.cloud.client.publish("a/b", b"meanwhile", 1).wait()
        system.until.set()
        await asked
        assert len(system.broker.streams) == 1
        await system.end()


async def test_it_comes_back_after_a_failure_too():
    with FakeChip():
        system = FakeSystem()
        system.error = OSError("a.example: cut")
        system.until.set()
        await system.up()
        await araises(OSError, "a.example: cut", ask(system))
        await system.up()
        await system.end()


async def test_it_comes_back_after_a_cancellation_at_any_moment():
    """While MQTT takes its leave, and while the request is made; cancelled twice, as an application is."""
    with FakeChip():
        system = FakeSystem()
        for steps in (1, 2, 3, 4, 5, 6, 8, 10, 20, 40):
            await system.up()
            asked = ask(system)
            for _ in range(steps):
                await asyncio.sleep_ms(0)
            while not asked.done():  # `wait_for` of CPython 3.11 may swallow one
                asked.cancel()
                await asyncio.sleep_ms(0)
            await araises(asyncio.CancelledError, "", asked)
            assert not system.cloud.turns and system.calm
            system.cloud.client._attempt_ms -= 1000  # else it waits a second
        await system.up()
        await system.end()


async def test_who_asks_meanwhile_waits_for_his_turn():
    with FakeChip(largest=PSRAM):
        system = FakeSystem()
        await system.up()
        first, second, third, fourth = [ask(system, method) for method in ("A", "B", "C", "D")]
        await system.began.wait()
        await asyncio.sleep_ms(20)
        assert [method for method, _ in system.asked] == ["A"]
        third.cancel()
        await araises(asyncio.CancelledError, "", third)
        await asyncio.sleep_ms(20)
        assert [method for method, _ in system.asked] == ["A"], "nobody is let in by one who has gone"
        system.until.set()
        for one in (first, second, fourth):
            await one
        assert [method for method, _ in system.asked] == ["A", "B", "D"]
        await system.end()


async def test_between_two_requests_mqtt_has_its_time():
    with FakeChip():
        system = FakeSystem()
        system.until.set()
        await system.up()
        first, second = ask(system), ask(system)
        await first
        receipt = system.cloud.client.publish("a/b", b"between", 1)
        await second
        assert receipt.done and len(system.broker.sent(DISCONNECT)) == 2
        await system.end()


async def test_it_does_not_come_back_into_a_mode_that_has_ended():
    with FakeChip():
        system = FakeSystem()
        await system.up()
        asked = ask(system)
        await system.began.wait()
        cloud, system.cloud = system.cloud, None  # as iot.transitions leaves the mode
        asked.cancel()
        await araises(asyncio.CancelledError, "", asked)
        assert "cloud" not in system.tasks and not cloud.turns and not cloud.client.connected
        await araises(RuntimeError, "no cloud in mode NORMAL", system.https("GET", "https://a/"))
        system.cloud, system.event = cloud, "restart"
        cloud.client.connected = True  # it is about to end
        await araises(OSError, "the way to the cloud ends", system.https("GET", "https://a/"))
        assert len(system.asked) == 1 and not cloud.turns


async def test_an_attempt_that_hangs_gives_way():
    with FakeChip():
        system = FakeSystem()
        system.broker.connack = None  # no answer

        async def not_now(name, timeout_ms):
            raise asyncio.TimeoutError

        system.events.wait = not_now
        while not system.broker.streams:
            await asyncio.sleep_ms(1)
        asked = ask(system)
        await system.began.wait()
        assert system.seen == [(False, False, [True])]
        system.broker.connack = b"\x20\x02\x00\x00"
        system.until.set()
        await asked
        await system.up()
        await system.end()


async def test_without_a_network_nobody_takes_leave():
    with FakeChip():
        system = FakeSystem()
        await system.up()
        aside.within, before = never, aside.within
        try:
            await araises(OSError, "no network", system.https("GET", "https://a/"))
        finally:
            aside.within = before
        assert not system.broker.sent(DISCONNECT) and not system.asked
        await system.end()


async def never(timeout_ms, coroutine):
    """As iot.events.within, its time over at once."""
    coroutine.close()
    return False
