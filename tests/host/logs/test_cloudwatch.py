"""Batches for CloudWatch Logs: within AWS's limits, and each line in one of them."""

import itertools
import json
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.logs.drain import cloudwatch
from tools.logs.drain.cloudwatch import BATCH_BYTES, BATCH_EVENTS, EVENT_BYTES, CloudWatch, Event
from tools.logs.drain.drain import Drain
from tools.logs.drain.lines import Line

NOW_MS = 1_800_000_000_000
DAY_MS = 24 * 3600 * 1000
EVENTS = st.lists(
    st.builds(
        Event,
        st.integers(NOW_MS - 3 * DAY_MS, NOW_MS),
        st.builds(
            lambda char, count: char * count, st.sampled_from(["a", "é", "🙂"]), st.integers(1, 60_000)
        ),
        st.just(0),
    ),
    max_size=60,
)


class Logs:
    """PutLogEvents as AWS has it: what is over a limit is an error."""

    def __init__(self) -> None:
        self.streams: dict[str, list[dict[str, Any]]] = {}
        self.calls = 0
        self.fails: Exception | None = None
        self.rejected: dict[str, int] = {}

    def create_log_stream(self, logGroupName: str, logStreamName: str) -> None:
        assert 0 < len(logStreamName) <= 512 and not set(":*") & set(logStreamName)
        if logStreamName in self.streams:
            raise error("ResourceAlreadyExistsException")
        self.streams[logStreamName] = []

    def put_log_events(
        self, logGroupName: str, logStreamName: str, logEvents: list[dict[str, Any]]
    ) -> dict[str, Any]:
        self.calls += 1
        if self.fails:
            raise self.fails
        if logStreamName not in self.streams:
            raise error("ResourceNotFoundException")
        check([Event(one["timestamp"], one["message"], 0) for one in logEvents])
        for one in logEvents:
            assert NOW_MS - 14 * DAY_MS < one["timestamp"] < NOW_MS + 2 * 3600 * 1000
        self.streams[logStreamName] += logEvents
        return {"rejectedLogEventsInfo": self.rejected} if self.rejected else {}


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "a line's text"}}, "PutLogEvents")


def check(batch: list[Event]) -> None:
    times = [event.time_ms for event in batch]
    assert 0 < len(batch) <= BATCH_EVENTS and times == sorted(times) and times[-1] - times[0] < DAY_MS
    assert sum(len(event.message.encode()) + 26 for event in batch) <= BATCH_BYTES
    assert all(len(event.message.encode()) + 26 <= EVENT_BYTES for event in batch)


def line(time_ms: int = NOW_MS, text: str = "hello", source: str = "host", **more: Any) -> Line:
    return Line(time_ms, "syslog", source, "I", "app", text, more)


@settings(max_examples=40)
@given(EVENTS)
def test_batches_are_within_the_limits_and_have_each_event_once(events: list[Event]) -> None:
    events = [event._replace(place=place) for place, event in enumerate(events)]
    found = list(cloudwatch.batches(events))
    for batch in found:
        check(batch)
    assert sorted(event.place for batch in found for event in batch) == list(range(len(events)))


def test_ten_thousand_and_one_are_two_batches() -> None:
    events = [Event(NOW_MS, "x", place) for place in range(BATCH_EVENTS + 1)]
    assert [len(batch) for batch in cloudwatch.batches(events)] == [BATCH_EVENTS, 1]
    full = [Event(NOW_MS, "x" * (BATCH_BYTES // 4 - 26), place) for place in range(5)]
    assert [len(batch) for batch in cloudwatch.batches(full)] == [4, 1]
    day = [Event(NOW_MS, "", 0), Event(NOW_MS + DAY_MS - 1, "", 1), Event(NOW_MS + DAY_MS, "", 2)]
    assert [len(batch) for batch in cloudwatch.batches(day)] == [2, 1]


def test_lines_of_whatever_size_and_time_are_taken() -> None:
    logs = Logs()
    found = [
        line(0, "long ago"),
        line(NOW_MS + DAY_MS, "tomorrow"),
        line(NOW_MS - 13 * DAY_MS, "days ago"),
        line(text="\x00" * 400_000),
        line(text="🙂" * 400_000, data={"a": "b" * 400_000}),
        line(text="said", source="a:*b"),
    ]
    assert CloudWatch(logs, "/iot/logs", lambda: NOW_MS).put(found) == {}
    assert sorted(logs.streams) == ["syslog/a__b", "syslog/host"]
    kept = [json.loads(event["message"]) for event in logs.streams["syslog/host"]]
    assert [one["time"] for one in kept if one["text"] == "long ago"] == ["1970-01-01T00:00:00.000Z"]
    assert sorted(one["cut_of_bytes"] > 400_000 for one in kept if "cut_of_bytes" in one) == [True, True]
    assert len(kept) == 5


def test_lines_at_times_that_are_not_taken_stay_in_their_order() -> None:
    logs = Logs()
    clock = itertools.count(NOW_MS, 7)
    drain = Drain([CloudWatch(logs, "/iot/logs", lambda: next(clock))], clock_ms=lambda: next(clock))
    old, now = b"<14>1 2012-07-22T00:06:26Z host app - - - old", b"<14>1 - host app - - - now"
    drain.syslog(b"".join(b"%d %s" % (len(one), one) for one in (old, now, old)))
    assert [json.loads(event["message"])["text"] for event in logs.streams["syslog/host"]] == [
        "old",
        "now",
        "old",
    ]


def test_what_is_not_taken_is_counted() -> None:
    logs = Logs()
    drain = Drain([CloudWatch(logs, "/iot/logs", lambda: NOW_MS)], clock_ms=lambda: NOW_MS)
    body = b"".join(b"%d %s" % (len(one), one) for one in [b"<14>1 - host app - - - hello"] * 4)
    logs.rejected = {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2, "tooNewLogEventStartIndex": 3}
    report = drain.syslog(body)
    assert (report.forwarded, report.dropped, report.is_refused) == (1, 3, False)
    for failure in (error("ThrottlingException"), EndpointConnectionError(endpoint_url="http://x")):
        logs.fails = failure
        report = drain.syslog(body)
        assert (report.forwarded, report.dropped, report.is_refused) == (0, 4, True)
        assert "a line's text" not in report.told[0]


def test_where_nobody_answers_it_is_asked_once() -> None:
    logs = Logs()
    logs.fails = EndpointConnectionError(endpoint_url="http://x")
    refused = CloudWatch(logs, "/iot/logs", lambda: NOW_MS).put([line(source=str(one)) for one in range(9)])
    assert refused == dict.fromkeys(range(9), "EndpointConnectionError") and logs.calls == 1


def test_sources_without_end_are_a_bounded_number_of_requests() -> None:
    logs = Logs()
    sink = CloudWatch(logs, "/iot/logs", lambda: NOW_MS)
    assert sink.put([line(source=f"host-{number}") for number in range(3000)]) == {}
    assert logs.calls == cloudwatch._STREAMS_MAX + 1
    assert sum(map(len, logs.streams.values())) == 3000
    logs.streams.clear()
    assert sink.put([line(source="host-1")]) == {} and logs.streams, "the group was removed and made anew"
