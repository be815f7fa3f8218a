"""What is read of a log group: each line once, however it comes, and what AWS need not send."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tools.board.errors import BoardError
from tools.logs.reading import Group, Wanted, group_of
from tools.logs.showing import Show

MINUTE_MS = 60_000


class Logs:
    """FilterLogEvents, of two streams, a few on a page; and DescribeLogGroups."""

    def __init__(self, *groups: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self._groups = groups

    def add(self, time_ms: int, message: str) -> None:
        number = str(len(self.events))
        stream = "device/lamp" if len(self.events) % 2 else "device/hall"
        self.events.append(
            {"eventId": number, "timestamp": time_ms, "message": message, "logStreamName": stream}
        )

    def get_paginator(self, _name: str) -> "Logs":
        return self

    def paginate(self, startTime: int, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(asked)
        found = sorted(
            (one for one in self.events if one["timestamp"] >= startTime), key=lambda it: it["timestamp"]
        )
        for at in range(0, len(found) + 1, 2):
            yield {"events": found[at : at + 2]}

    def describe_log_groups(self, logGroupNamePrefix: str) -> dict[str, Any]:
        return {
            "logGroups": [{"logGroupName": one} for one in self._groups if one.startswith(logGroupNamePrefix)]
        }


def test_each_line_is_read_once_and_one_that_is_late_too() -> None:
    logs = Logs()
    for minute in (9, 10, 11):
        logs.add(minute * MINUTE_MS, str(minute))
    group = Group(logs, "/iot/logs", 10 * MINUTE_MS, Wanted())
    assert [one["text"] for one in group.read()] == ["10", "11"]
    assert list(group.read()) == []
    for minute in (10, 12, 30):
        logs.add(minute * MINUTE_MS, f"then {minute}")
    assert [one["text"] for one in group.read()] == ["then 10", "then 12", "then 30"]
    logs.add(29 * MINUTE_MS, "late")
    logs.add(13 * MINUTE_MS, "too late to be followed")
    assert [one["text"] for one in group.read()] == ["late"]
    assert set(group._seen.values()) == {29 * MINUTE_MS, 30 * MINUTE_MS}


def test_what_is_read_has_a_source_and_a_time() -> None:
    logs = Logs()
    logs.add(0, "START RequestId")
    logs.add(1, json.dumps({"thing": "lamp", "level": "E", "t": 5, "text": "by the account's own rule"}))
    logs.add(1, json.dumps({"thing": "lamp", "source": "another"}))
    logs.add(2, json.dumps({"source": "router", "time": "2012-07-22T00:06:26.000Z", "text": "drained"}))
    found = list(Group(logs, "/iot/devices", 0, Wanted()).read())
    assert [(one["source"], one["time"][:4]) for one in found] == [
        ("device/hall", "1970"), ("lamp", "1970"), ("lamp", "1970"), ("router", "2012"),
    ]  # fmt: skip


def test_what_is_wanted_is_asked_for_and_looked_at_again() -> None:
    logs = Logs()
    wanted = Wanted('la"mp', "W", ("l*",))
    list(Group(logs, "/iot/logs", 0, wanted).read())
    assert logs.asked == [
        {
            "logGroupName": "/iot/logs",
            "filterPattern": '{ (($.thing = "la\\"mp") || ($.source = "la\\"mp")) && '
            '(($.level = "E*") || ($.level = "W*")) }',
        }
    ]
    assert Wanted().pattern == "" and Wanted()({})
    assert wanted({"source": 'la"mp', "thing": 'la"mp', "level": "error"})
    for other in ({"source": 'la"mp', "level": "I"}, {"source": "hall", "level": "E"}, {"source": 'la"mp'}):
        assert not wanted(other)
    assert not Wanted(sources=("r*", "x"))({"source": "lamp"})


def test_what_others_have_put_there_does_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    esc = "\x1b[2J"
    show = Show(False)
    for name in ("time", "source", "level", "area", "text", "left_out", "kind"):
        show.line({"time": "2026-11-29T10:00:00.000Z", "source": "lamp", "text": "hello", name: esc})
    show.line({"time": "0001-01-01T00:00:00+14:00", "x": [esc]})
    assert "\x1b" not in capsys.readouterr().out and show.shown == 8


def test_the_group_is_the_drains_or_that_of_the_account() -> None:
    assert group_of(Logs("/iot/devices", "/iot/logs", "/iot/x"), "iot") == "/iot/logs"
    assert group_of(Logs("/iot/devices", "/iots/logs"), "iot") == "/iot/devices"
    with pytest.raises(BoardError, match="aws up logs"):
        group_of(Logs("/other/logs"), "iot")
