"""`aws cost`: the arithmetic, beside AWS's own examples, and what the verb tells."""

import json

import pytest

from tests.host.thing.conftest import Done, in_process
from tools.aws.cost import month
from tools.aws.prices import FREE, PRICES, Price
from tools.aws.usage import CLAIM_MESSAGES, CONNECTION_MESSAGES, DAY_MESSAGES, Fleet

IRELAND = PRICES["eu-west-1"]


def test_what_aws_reckons_in_its_own_example() -> None:
    """100,000 devices, always connected, 325 messages a day each, in Europe (Ireland), 30 days."""
    assert IRELAND["minutes"].of(100_000 * 60 * 24 * 30) == pytest.approx(345.60)
    assert IRELAND["messages"].of(100_000 * 325 * 30) == pytest.approx(975.00)
    assert Fleet(100_000).month()["minutes"] == 100_000 * 60 * 24 * 30


def test_a_tier_begins_where_the_one_before_ends() -> None:
    price = Price(((10, 1.0), (30, 0.5), (float("inf"), 0.1)), 1, "here", "2026-11-29")
    assert [price.of(count) for count in (0, 10, 11, 30, 40)] == pytest.approx([0, 10, 10.5, 20, 21])
    billion = IRELAND["messages"].of(1e9)
    assert IRELAND["messages"].of(6e9) == pytest.approx(billion + 4e9 * 0.8e-6 + 1e9 * 0.7e-6)


@pytest.mark.parametrize(("size", "each"), [(1, 1), (5120, 1), (5121, 2), (131_072, 26)])
def test_a_message_counts_in_steps_of_5_kb(size: int, each: int) -> None:
    telemetry = 2 * 30 * 24 * 60  # of two devices, a minute apart
    around = 2 * (30 * (CONNECTION_MESSAGES + DAY_MESSAGES) + CLAIM_MESSAGES)
    fleet = Fleet(2, every_s=60, message_bytes=size, rules=3)
    assert fleet.month()["messages"] == telemetry * each + around
    assert fleet.month()["rules"] == fleet.month()["actions"] == telemetry * each * 3


def test_the_free_tier_takes_no_more_than_there_is() -> None:
    """AWS says of it: 50 devices, always connected, 300 messages and 150 rules a day each."""
    lines = {line.item: line for line in month(Fleet(50, every_s=24 * 3600 / 300), PRICES["us-east-1"])}
    assert lines["minutes"].free_usd == lines["minutes"].usd  # 2.16 of 2.25 million
    for line in lines.values():
        assert line.usd is not None and 0 <= line.always_usd <= line.free_usd <= line.usd
        free = FREE.get(line.item)
        if free and line.count > free.count:
            assert line.price and line.free_usd == pytest.approx(line.price.of(free.count))


def test_every_price_says_where_and_when_it_was_read() -> None:
    for prices in PRICES.values():
        for item, price in prices.items():
            assert item in Fleet(1).month() and price.source and price.read.startswith("20")
            assert price.tiers[-1][0] == float("inf")


def test_the_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def cost(*arguments: str) -> Done:
        return in_process(monkeypatch, capsys, "aws", "cost", *arguments)

    value = cost("--devices", "1000", "--every", "60", "--json").value
    items = {one["item"]: one for one in value["items"]}
    assert value["usd"] == pytest.approx(sum(one["usd"] for one in items.values()))
    assert items["minutes"]["usd"] == pytest.approx(43.2 * 0.08)
    assert value["usd"] > value["first_year_free_usd"] > value["always_free_usd"] > 0
    told = cost("--devices", "1000", "--every", "60").out
    assert f"{value['usd'] - value['always_free_usd']:,.2f} USD in us-east-1" in told and "2026-09-20" in told
    without = cost("--devices", "10", "--region", "eu-west-1").out
    assert "none is kept for this region" in without and "without" in without
    unknown = cost("--devices", "10", "--region", "mars-north-1", "--json")
    assert unknown.status == 1 and "mars-north-1" in unknown.failure["text"]
    assert cost("--devices", "0").status == cost().status == 2
    json.dumps(value)
