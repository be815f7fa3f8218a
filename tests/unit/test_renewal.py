"""How often certificates are asked for, over restarts: with a clock that a test moves by days."""

import random

from fakes import FakeLog
from iot.aws import renewal

DAY_S = 86400
R1, R2 = "closed by the broker", "refused by the broker: not authorized"


class FakeStore:
    """Keeps the state as flash does."""

    def __init__(self):
        self.state = b""
        self.writes = 0

    def renewal(self, state=None):
        if state:
            self.state = bytes(state)
            self.writes += 1
        return self.state or None


class Clock:
    def __init__(self, now=800000000):
        self.now = now

    def time(self):
        return self.now

    def __enter__(self):
        self._real = renewal.time
        renewal.time = self
        return self

    def __exit__(self, *error):
        renewal.time = self._real


def refuse(store, reason):
    """Whether the device goes back to its claim."""
    events, log = [], FakeLog()
    renewal.refused(store, reason, log, lambda *event: events.append(event))
    assert len(log.lines) == 1 and reason in log.lines[0]
    assert events in ([], [("certificate_refused", reason)])
    return bool(events)


def test_the_first_certificate_of_a_device_is_asked_for_at_once():
    assert renewal.pause_s(FakeStore()) == 0


def test_a_certificate_that_worked_is_replaced_at_once():
    with Clock() as clock:
        store = FakeStore()
        renewal.asked(store)
        clock.now += 1000 * DAY_S
        assert refuse(store, R1) and renewal.pause_s(store) == 0


def test_one_refused_as_the_one_before_without_having_connected_waits_a_day():
    with Clock() as clock:
        store = FakeStore()
        renewal.asked(store)
        assert refuse(store, R1)
        renewal.asked(store)
        assert not refuse(store, R1)
        assert not refuse(store, R1 + ": TLS alert, unknown CA"), "the same in other words"
        clock.now += DAY_S - 1
        assert not refuse(store, R1)
        clock.now += 1
        assert refuse(store, R1)


def test_another_reason_is_another_matter_but_the_pause_grows():
    with Clock() as clock:
        store = FakeStore()
        renewal.asked(store)
        assert refuse(store, R1)
        renewal.asked(store)
        assert refuse(store, R2)
        renewal.asked(store)
        assert not refuse(store, R1)
        clock.now += 60
        assert refuse(store, R1)


def test_one_that_has_connected_is_judged_anew():
    with Clock() as clock:
        store = FakeStore()
        renewal.asked(store)
        assert refuse(store, R1) and store.state[0], "the first byte tells that a reason is kept"
        renewal.asked(store)
        renewal.connected(store)
        assert not store.state[0]
        clock.now += 60
        assert refuse(store, R1)


def test_a_claim_that_failed_leaves_the_present_certificate_its_turn():
    """No certificate was asked for in between: it is still the one that had connected."""
    with Clock():
        store = FakeStore()
        renewal.asked(store)
        assert refuse(store, R1) and refuse(store, R1)


def test_requests_that_lead_nowhere_come_ever_more_rarely():
    with Clock() as clock:
        store, pauses = FakeStore(), []
        for _ in range(16):
            renewal.asked(store)
            pauses.append(renewal.pause_s(store))
            clock.now += pauses[-1]
            assert renewal.pause_s(store) == 0
        assert pauses == [0, 0] + [min(DAY_S, 60 << n) for n in range(14)]


def test_two_quiet_days_begin_the_count_anew():
    with Clock() as clock:
        store = FakeStore()
        for _ in range(10):
            renewal.asked(store)
        clock.now += 2 * DAY_S + 1
        renewal.asked(store)
        assert renewal.pause_s(store) == 0


def test_a_clock_that_goes_back_costs_one_pause_and_no_more():
    with Clock() as clock:
        store = FakeStore()
        for _ in range(20):
            renewal.asked(store)
        clock.now -= 3650 * DAY_S
        assert renewal.pause_s(store) == DAY_S
        writes = store.writes
        clock.now += DAY_S
        assert renewal.pause_s(store) == 0 and store.writes == writes


def test_whatever_happens_a_fleet_asks_for_few():
    """Random lives of thirty days: refusals, connections, failed claims, restarts that forget nothing."""
    for seed in range(40):
        rng = random.Random(seed) if hasattr(random, "Random") else random
        with Clock() as clock:
            store, asked = FakeStore(), 0
            end = clock.now + 30 * DAY_S
            while clock.now < end:
                clock.now += rng.randrange(1, 1200)
                what = rng.randrange(10)
                if what == 0:
                    renewal.connected(store)
                elif what < 8:
                    renewal.refused(store, (R1, R2)[what % 2], FakeLog(), lambda *event: None)
                if renewal.pause_s(store, (R1, R2)[what % 2]) == 0:
                    renewal.asked(store)
                    asked += 1
            assert asked <= 13 + 30 + 1, (seed, asked)


def test_after_one_that_was_not_taken_in_its_trial_the_next_is_due_in_a_day():
    with Clock() as clock:
        store = FakeStore()
        renewal.asked(store)
        renewal.failed(store)
        assert renewal.pause_s(store) == DAY_S
        clock.now += DAY_S - 60
        assert renewal.pause_s(store) == 60
        clock.now += 60
        assert renewal.pause_s(store) == 0
        renewal.asked(store)
        assert renewal.pause_s(store) == DAY_S
        clock.now += 2 * DAY_S + 1  # two quiet days
        renewal.asked(store)
        assert renewal.pause_s(store) == 0
