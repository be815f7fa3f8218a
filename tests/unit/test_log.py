"""Log lines."""

from check import raises
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
