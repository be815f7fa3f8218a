"""Lines of the log on their way to the cloud."""

import asyncio

from check import araises
from fakes import FakeLog
from iot.aws import log_lines as module


class DrainLog(FakeLog):
    now_ms = 0
    level = take = None

    def drain_to(self, level, take):
        self.level, self.take = level, take

    def uptime_ms(self):
        return self.now_ms


class System:
    """A system with its cloud, its settings and its client; a turn takes as long as the lines wait."""

    name = "lamp"

    def __init__(self, **reports):
        self.log = DrainLog()
        self.cloud = self.client = self.settings = self
        self.REPORTS = reports
        self.connected = True
        self.sent = []

    def publish(self, topic, payload):
        assert topic == "telemetry/lamp/log"
        self.sent.append(payload)

    async def turns(self, lines, number):
        """Whether `lines` have ended of themselves by so many turns."""
        sleep_ms, left = asyncio.sleep_ms, [number]

        async def short(ms):
            if not left[0]:
                raise asyncio.CancelledError
            left[0] -= 1
            self.log.now_ms += ms
            await sleep_ms(0)

        class Fast:
            sleep_ms = staticmethod(short)

        module.asyncio = Fast
        try:
            await lines.run()
            return True
        except asyncio.CancelledError:
            return False
        finally:
            module.asyncio = asyncio


async def test_they_are_bounded_and_what_is_left_out_is_counted():
    system = System(log="warning")
    system.connected = False
    lines = module.LogLines(system)
    assert not await system.turns(lines, 2)
    for number in range(20):
        lines._take(1000 + number, "W", "wifi", "x" * 300 + str(number))
    system.connected = True
    assert not await system.turns(lines, 40)
    assert len(system.sent) == 8
    assert system.sent[0] == {"t": 1000, "level": "W", "area": "wifi", "text": "x" * 200, "left_out": 12}
    assert "left_out" not in system.sent[1]
    assert system.log.take is None, "the log is not its own again"


async def test_for_some_minutes():
    for usual in (None, "error"):
        system = System(**({"log": usual} if usual else {}))
        lines = module.LogLines(system, "debug", 2)
        assert not await system.turns(lines, 59)
        running = asyncio.create_task(lines.run())
        await asyncio.sleep_ms(0)
        assert system.log.level == "debug" and system.log.take
        system.log.now_ms = 120000
        running.cancel()
        await araises(asyncio.CancelledError, "", running)
        assert await system.turns(lines, 2) is (usual is None)
        seen = []
        system.log.drain_to = lambda level, take, seen=seen: seen.append((level, take is not None))
        if usual:
            assert not await system.turns(lines, 2)
            assert seen == [("error", True), ("error", False)]
