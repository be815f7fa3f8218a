"""The counter against rollback: in two copies, and never down."""

from fakes import FakeNVS, PowerCut
from iot.ota import kept


def test_there_is_none_yet():
    assert kept.counter(FakeNVS()) == 0


def test_it_only_rises():
    nvs = FakeNVS()
    for given, after in (
        (0, 0),
        (3, 3),
        (2, 3),
        (3, 3),
        (4, 4),
        (0, 4),
        (0x7FFFFFFF, 0x7FFFFFFF),
        (5, 0x7FFFFFFF),
    ):
        kept.raise_counter(nvs, given)
        assert kept.counter(nvs) == after
    writes = nvs.writes
    kept.raise_counter(nvs, 7)
    assert nvs.writes == writes


def test_a_copy_that_is_damaged_leaves_the_one_before():
    nvs = FakeNVS()
    kept.raise_counter(nvs, 3)
    kept.raise_counter(nvs, 9)
    assert sorted(nvs.values) == ["counter0", "counter1"]
    nvs.values["counter1"] = nvs.values["counter1"][:-1] + b"?"
    assert kept.counter(nvs) == 3


def test_a_cut_of_power_leaves_the_old_or_the_new_one():
    for before in range(4):
        for cut_at in (1, 2):
            nvs = FakeNVS()
            for number in range(before):
                kept.raise_counter(nvs, number + 1)
            nvs.cut_at = nvs.writes + cut_at
            try:
                kept.raise_counter(nvs, 100)
            except PowerCut:
                pass
            assert kept.counter(nvs) in (before, 100)
            nvs.cut_at = None
            kept.raise_counter(nvs, 100)
            assert kept.counter(nvs) == 100
