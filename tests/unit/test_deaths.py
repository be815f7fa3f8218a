"""Deaths in a row: pauses that grow, and a count by which main.py begins with the rescue."""

from fakes import FakeMachine
from iot.log import Log


class Clock:
    def __init__(self, borne_out):
        self.borne_out = borne_out


class Device:
    """A System, as far as deaths look at it; `clock` is None in INIT."""

    def __init__(self, clock, uptime_ms=1000):
        self.clock = clock
        self.log = Log("error", lambda line: None)
        self.log.uptime_ms = lambda: uptime_ms


def deaths_of(lives):
    """The pauses in s, and the byte that main.py reads after each."""
    machine = FakeMachine()
    found = []
    for clock, uptime_ms in lives:
        with machine:
            from iot import deaths

            pause_ms = deaths._count(Device(clock, uptime_ms))
        found.append((pause_ms // 1000, machine.kept[7]))
    return found


def test_the_seventh_start_after_six_that_reached_nothing_is_the_rescue_s():
    for clock in (None, Clock(False)):
        found = deaths_of([(clock, 1000)] * 8)
        assert found == [(5, 1), (10, 2), (20, 3), (40, 4), (80, 5), (160, 6), (160, 7), (160, 8)]


def test_a_device_that_reaches_its_cloud_needs_none():
    found = deaths_of([(Clock(True), 1000)] * 9)
    assert [count for _, count in found] == [1, 2, 3, 4, 5, 5, 5, 5, 5] and found[-1] == (160, 5)
    found = deaths_of([(Clock(True), 1000)] * 9 + [(None, 1000)])
    assert found[-1] == (160, 6)  # but once it no longer does


def test_a_long_life_begins_to_count_anew():
    assert deaths_of([(None, 1000)] * 5 + [(None, 600_000)])[-1] == (5, 1)
