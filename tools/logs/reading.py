"""Where lines are kept, read from a time on and followed: the local cloud's history, a log group of AWS."""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from tools.board.errors import BoardError
from tools.dashboard.past import Past
from tools.dashboard.records import FILE
from tools.thing.failures import is_missing

from .drain.lines import LEVELS, moment

Found = dict[str, Any]
"""A line's document, as drain.lines.Line has it; what others have put into the group may lack most of it."""
_ROWS = 1000
_OVERLAP_MS = 120_000  # lines may come to a group later than others that are newer


class Wanted:
    """Which lines are.

    Args:
        thing: the only one whose lines are; None: of whatever source.
        level: of the most talkative ones, of LEVELS.
        sources: patterns, of which a source fits one; none: all.
    """

    def __init__(self, thing: str | None = None, level: str = "D", sources: tuple[str, ...] = ()) -> None:
        self.thing = thing
        self._levels = LEVELS[: LEVELS.index(level) + 1]
        self._sources = sources

    def __call__(self, found: Mapping[str, Any]) -> bool:
        source = str(found.get("source", ""))
        if self.thing is not None and self.thing not in (source, found.get("thing")):
            return False
        level = str(found.get("level", "I"))[:1].upper()
        if level in LEVELS and level not in self._levels:
            return False
        return not self._sources or any(fnmatchcase(source, pattern) for pattern in self._sources)

    @property
    def pattern(self) -> str:
        """As FilterLogEvents takes it: less than is wanted, so that AWS sends less; "" for all."""
        thing = self.thing and json.dumps(self.thing)
        terms = [f"(($.thing = {thing}) || ($.source = {thing}))"] if thing else []
        if self._levels != LEVELS:
            either = " || ".join(f'($.level = "{one}*")' for one in self._levels)
            terms.append(f"({either})")
        return f"{{ {' && '.join(terms)} }}" if terms else ""


class Reader(Protocol):
    """Each call of `read` has what came since the last."""

    where: str

    def read(self) -> Iterator[Found]: ...


class History:
    """What the live page of the local cloud has kept.

    Args:
        state: the cloud's.
        since_ms: of the oldest line.

    Raises:
        BoardError: there is none.
    """

    def __init__(self, state: Path, since_ms: int) -> None:
        path = state / FILE
        if not path.is_file():
            raise BoardError(
                f"{path}: no lines were kept",
                "The live page keeps them: python3 -m tools cloud, without --no-page. Or leave out --since.",
            )
        self.where = str(path)
        self._past = Past(path)
        self._since_ms = since_ms
        self._line = 0

    def read(self) -> Iterator[Found]:
        """In the order of their coming."""
        while rows := self._past.after(self._line, self._since_ms, _ROWS):
            for row in rows:
                self._line = row.pop("id")
                yield {**row, "time": moment(row["time"])}


class Group:
    """A log group of CloudWatch.

    Args:
        client: boto3's for `logs`.
        name: the group's.
        since_ms: of the oldest line.
        wanted: what AWS need not send is left out there.
    """

    def __init__(self, client: Any, name: str, since_ms: int, wanted: Wanted) -> None:
        self.where = name
        self._client = client
        self._since_ms = since_ms
        self._pattern = wanted.pattern
        self._last_ms = 0
        self._seen: dict[str, int] = {}  # by an event's id its time, as far as it may come again

    def read(self) -> Iterator[Found]:
        """In the order of their time. Raises BoardError, ClientError."""
        start_ms = max(self._since_ms, self._last_ms - _OVERLAP_MS)
        pattern = {"filterPattern": self._pattern} if self._pattern else {}
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=self.where, startTime=start_ms, **pattern
        )
        try:
            for page in pages:
                for event in page["events"]:
                    if event["eventId"] not in self._seen:
                        self._seen[event["eventId"]] = event["timestamp"]
                        self._last_ms = max(self._last_ms, event["timestamp"])
                        yield document(event)
                before_ms = self._last_ms - _OVERLAP_MS
                self._seen = {name: time for name, time in self._seen.items() if time >= before_ms}
        except ClientError as error:
            if is_missing(error):
                raise _no_group(self.where) from None
            raise


def document(event: Mapping[str, Any]) -> Found:
    """An event of a group."""
    try:
        found = json.loads(event["message"])
    except ValueError:
        found = None
    if not isinstance(found, dict):
        found = {"text": event["message"]}
    source = found.get("thing") or found.get("source") or event.get("logStreamName", "")
    return {"time": moment(event["timestamp"]), **found, "source": source}


def group_of(client: Any, name: str) -> str:
    """The group with the devices' lines: the drain's, or else that of the account's own set-up.

    Raises:
        BoardError: there is neither.
    """
    found = client.describe_log_groups(logGroupNamePrefix=f"/{name}/")["logGroups"]
    there = {one["logGroupName"] for one in found}
    for group in (f"/{name}/logs", f"/{name}/devices"):
        if group in there:
            return group
    raise _no_group(f"/{name}/logs")


def _no_group(name: str) -> BoardError:
    return BoardError(
        f"there is no log group {name}", "Make it: python3 -m tools aws up logs. Or name another: --group."
    )
