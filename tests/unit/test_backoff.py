"""Full-jitter backoff."""

from iot.backoff import Backoff


def test_each_delay_is_drawn_from_a_ceiling_that_doubles_up_to_the_cap():
    bounds = []

    def largest(stop):
        bounds.append(stop)
        return stop - 1

    backoff = Backoff(1000, 5000, largest)
    assert [backoff.next_ms() for _ in range(5)] == [1000, 2000, 4000, 5000, 5000]
    assert bounds == [1001, 2001, 4001, 5001, 5001]


def test_delays_are_spread_over_the_whole_interval():
    backoff = Backoff(1000, 1000)
    delays = [backoff.next_ms() for _ in range(400)]
    assert 0 <= min(delays) < 200
    assert 800 < max(delays) <= 1000


def test_reset_starts_again_from_the_base():
    backoff = Backoff(10, 1000, lambda stop: stop - 1)
    for _ in range(5):
        backoff.next_ms()
    backoff.reset()
    assert backoff.next_ms() == 10
