"""Log lines."""

from check import raises
from clock_bench import Chip, Over
from fakes import FakeChip, forget
from iot.log import Log


def test_levels():
    lines = []
    log = Log("warning", lines.append)
    log.debug("a", "debug")
    log.info("a", "info")
    log.warning("a", "warning {}", 1)
    log.error("b", "error {} {}", 1, "two")
    assert [line.split(" ", 1)[1] for line in (line.strip() for line in lines)] == [
        "W a: warning 1",
        "E b: error 1 two",
    ]
    log.set_level("debug")
    log.debug("a", "braces {} stay without arguments")
    assert lines[-1].endswith("D a: braces {} stay without arguments")


def test_a_level_for_some_minutes():
    lines = []
    log = Log("warning", lines.append)
    log.uptime_ms = lambda: log.now_ms  # type: ignore[method-assign, attr-defined]
    log.now_ms = 5000
    log.set_level("debug", 2)
    for ms, shown in ((5000, 1), (125_000, 2), (125_001, 2), (200_000, 2)):
        log.now_ms = ms
        log.debug("a", "x")
        assert len(lines) == shown, ms
    log.set_level("debug", 1)
    log.set_level("info")  # for good
    log.now_ms = 10_000_000
    log.info("a", "x")
    assert len(lines) == 3


def test_a_level_that_does_not_exist():
    raises(ValueError, "log level 'loud': one of error, warning, info, debug", Log, "loud")


def test_the_time_is_the_uptime():
    lines = []
    log = Log("info", lines.append)
    log.info("x", "y")
    stamp = lines[0][:10]
    assert stamp[6] == "." and 0 <= float(stamp) < 60
    log._uptime_ms = 123456789
    log.info("x", "y")
    assert lines[1].startswith("123456.") or lines[1].startswith("123457."), lines[1]


async def test_the_uptime_of_a_month_without_a_line():
    """The supervisor looks at the uptime often enough, where nobody else does."""
    with FakeChip(), Chip({}) as chip:
        forget("iot.log", "iot.system")
        try:
            from iot.system import System

            class Settings:
                LOG_LEVEL = "info"

            system = System(Settings)
            system.watchdog = Watchdog()

            async def entered():
                pass

            system._change = entered
            chip.limit_ms = 30 * 86400 * 1000
            sleep_ms, steps = chip.sleep_ms, []

            async def slow_motion(ms):
                steps.append(ms)
                await sleep_ms(ms * 36000)  # an hour for each 100 ms

            chip.sleep_ms = slow_motion
            try:
                await system._run()
            except Over:
                pass
            assert len(steps) > 700
            assert chip.limit_ms <= system.log.uptime_ms() < chip.limit_ms + 2 * 3600 * 1000
        finally:
            forget("iot.log", "iot.system")


class Watchdog:
    def feed(self):
        pass
