"""CloudWatch Logs: a stream for each source, in batches that PutLogEvents takes.

Its limits, from the API reference: a batch has at most 1,048,576 bytes, of which each event takes 26 beside
its message, and 10,000 events, in the order of time, not more than 24 hours from the first to the last. An
event has 256 KB (1 MB by AWS's newer pages), and is not older than 14 days nor two hours in the future.
"""

import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from .lines import Line

BATCH_BYTES = 1_048_576
BATCH_EVENTS = 10_000
EVENT_BYTES = 256 * 1024
OVERHEAD_BYTES = 26
_SPAN_MS = 24 * 3600 * 1000 - 1
_PAST_MS = 14 * _SPAN_MS
_FUTURE_MS = 2 * 3600 * 1000 - 60_000
_NO_STREAM_NAME = re.compile(r"[:*\s]")  # what a stream's name must not have
_STREAM_CHARS = 512
_STREAMS_KNOWN = 1000
_STREAMS_MAX = 100  # in one call, each of which costs a request or two


class Event(NamedTuple):
    """One for PutLogEvents, and the place of its line."""

    time_ms: int
    message: str
    place: int

    @property
    def size(self) -> int:
        return len(self.message.encode()) + OVERHEAD_BYTES


def stream_of(kind: str, source: str) -> str:
    """The stream of a source's lines."""
    return _NO_STREAM_NAME.sub("_", f"{kind}/{source}")[:_STREAM_CHARS]


def event_of(line: Line, place: int, now_ms: int) -> Event:
    """A line's; one that is too large is cut, and at a time that AWS does not take it has that of its coming.

    Its own time is in its message, and how large it was.
    """
    message = line.json()
    room = EVENT_BYTES - OVERHEAD_BYTES
    size = len(message.encode())
    if size > room:
        cut = {"data": None, "cut_of_bytes": size}
        text, area = line.text[: room // 8], line.area[:1024]  # JSON may have six bytes for a character
        more = {name: value for name, value in line.more.items() if isinstance(value, int)}
        message = replace(line, text=text, area=area, more={**more, **cut}).json()
    is_taken = now_ms - _PAST_MS < line.time_ms < now_ms + _FUTURE_MS
    return Event(line.time_ms if is_taken else line.came_ms or now_ms, message, place)


def batches(events: list[Event]) -> Iterator[list[Event]]:
    """All of them, in the order of time."""
    batch: list[Event] = []
    size = 0
    for event in sorted(events, key=lambda one: one.time_ms):
        is_full = len(batch) == BATCH_EVENTS or size + event.size > BATCH_BYTES
        if batch and (is_full or event.time_ms - batch[0].time_ms > _SPAN_MS):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += event.size
    if batch:
        yield batch


class CloudWatch:
    """A log group.

    Args:
        client: botocore's for `logs`, which tries again by itself.
        group: its name.
        clock_ms: the time.
    """

    name = "CloudWatch"

    def __init__(self, client: Any, group: str, clock_ms: Callable[[], int]) -> None:
        self._client = client
        self._group = group
        self._now = clock_ms
        self._known: OrderedDict[str, None] = OrderedDict()

    def put(self, found: Sequence[Line]) -> dict[int, str]:
        """See Sink."""
        now_ms = self._now()
        streams: dict[str, list[Event]] = defaultdict(list)
        for place, line in enumerate(found):
            stream = stream_of(line.kind, line.source)
            if stream not in streams and len(streams) >= _STREAMS_MAX:
                stream = stream_of(line.kind, "~others")
            streams[stream].append(event_of(line, place, now_ms))
        refused: dict[int, str] = {}
        silence = ""  # where AWS did not answer, it is not waited for again and again
        for stream, events in streams.items():
            for batch in batches(events):
                try:
                    refused |= _all(batch, silence) if silence else self._put(stream, batch)
                except ClientError as error:
                    refused |= _all(batch, _code(error))
                except BotoCoreError as error:
                    silence = type(error).__name__  # its text has the address, and perhaps more
                    refused |= _all(batch, silence)
        return refused

    def _put(self, stream: str, batch: list[Event]) -> dict[int, str]:
        entries = [{"timestamp": event.time_ms, "message": event.message} for event in batch]
        names = {"logGroupName": self._group, "logStreamName": stream}
        if stream not in self._known:
            self._make(stream)
        try:
            answer = self._client.put_log_events(**names, logEvents=entries)
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException":
                raise
            self._make(stream)  # somebody has removed it
            answer = self._client.put_log_events(**names, logEvents=entries)
        rejected = answer.get("rejectedLogEventsInfo") or {}
        old = max(rejected.get("tooOldLogEventEndIndex", 0), rejected.get("expiredLogEventEndIndex", 0))
        new = rejected.get("tooNewLogEventStartIndex", len(batch))
        why = "outside of the time that the group keeps"
        return {event.place: why for event in (*batch[:old], *batch[new:])}

    def _make(self, stream: str) -> None:
        try:
            self._client.create_log_stream(logGroupName=self._group, logStreamName=stream)
        except ClientError as error:
            if _code(error) != "ResourceAlreadyExistsException":
                raise
        self._known[stream] = None
        if len(self._known) > _STREAMS_KNOWN:
            self._known.popitem(last=False)


def _all(batch: list[Event], reason: str) -> dict[int, str]:
    return {event.place: reason for event in batch}


def _code(error: ClientError) -> str:
    """AWS's name for it, which has no line's text in it."""
    return str(error.response.get("Error", {}).get("Code", "refused"))
