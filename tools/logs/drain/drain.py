"""What comes is read, filtered and handed on; each frame ends in one of four ways, and is counted there."""

import hashlib
import json
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol

from . import lines, syslog
from .frames import split
from .lines import LEVELS, Line

LINES_MAX = 10_000  # of one call; what is more is dropped, and told
_MALFORMED_MAX = 100  # of one call, that are kept; the rest is counted alone
_TOLD_MAX = 20
_FRAME_IDS = 1000


class Sink(Protocol):
    """Where lines go."""

    name: str

    def put(self, found: Sequence[Line]) -> dict[int, str]:
        """Take them; of each that it does not take the place, and why not. It raises nothing."""


@dataclass
class Report:
    """What became of one call's frames; `received` is the sum of the four behind it.

    Args:
        received: frames.
        forwarded: that each sink has taken.
        filtered: that nobody wants.
        malformed: that are none.
        dropped: that were too many, or that a sink did not take.
        told: in words what is wrong, bounded.
        is_repeated: the request had come before, and was left alone.
        is_refused: the first sink, which keeps the lines, took none of them: it may come again.
    """

    received: int = 0
    forwarded: int = 0
    filtered: int = 0
    malformed: int = 0
    dropped: int = 0
    told: list[str] = field(default_factory=list)
    is_repeated: bool = False
    is_refused: bool = False

    def tell(self, text: str) -> None:
        """Keep it, as long as there is room."""
        if len(self.told) < _TOLD_MAX:
            self.told.append(text)

    def document(self) -> dict[str, Any]:
        """Of it what is not nothing, and the counts."""
        counts = {name: getattr(self, name) for name in COUNTS}
        repeated = {"repeated": True} if self.is_repeated else {}
        return {**counts, **repeated, **({"told": self.told} if self.told else {})}


COUNTS = ("received", "forwarded", "filtered", "malformed", "dropped")


class Drain:
    """One call at a time; of several threads the others wait.

    Args:
        sinks: each gets all lines that are wanted; the first is the one that keeps them.
        level: of the most talkative lines that are.
        sources: patterns as of a shell, of which a source must fit one; none: all are wanted.
        secrets: nothing that is handed on has them.
        clock_ms: the time.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        level: str = "D",
        sources: Sequence[str] = (),
        secrets: tuple[str, ...] = (),
        clock_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._totals: Counter[str] = Counter()
        self.secrets = secrets
        self._sinks = sinks
        self._levels = LEVELS[: LEVELS.index(level) + 1]
        self._sources = sources
        self._now = clock_ms
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def syslog(
        self, body: bytes, is_structured: bool = True, count: int | None = None, frame_id: str = ""
    ) -> Report:
        """A request's body of messages in octet counting.

        Args:
            body: all of it.
            is_structured: as for syslog.parse.
            count: how many there are by the sender's word.
            frame_id: of the request, by which one that comes again is known; "" where it has none.
        """
        key = hashlib.sha256(frame_id.encode(errors="surrogateescape")).digest()
        with self._lock:
            if frame_id and key in self._seen:
                return Report(is_repeated=True)
            run = _Run(self._now())
            for frame in split(body):
                try:
                    if frame.problem:
                        raise syslog.MalformedError(0, frame.problem)
                    run.add(lines.of_syslog(syslog.parse(frame.data, is_structured), run.now_ms))
                except syslog.MalformedError as error:
                    where = f"frame {frame.number}, byte {frame.place + error.place} of the body"
                    run.add_malformed("syslog", where, error.reason, frame.data)
            if count is not None and count != run.report.received:
                run.say("syslog", f"{count} frames by the sender's count, {run.report.received} are there")
            report = self._finished(run)
            if frame_id and not report.is_refused:
                self._seen[key] = None
                if len(self._seen) > _FRAME_IDS:
                    self._seen.popitem(last=False)
            return report

    def devices(self, events: Iterable[Mapping[str, Any]]) -> Report:
        """Messages that devices have sent, as the rule hands them on: lines.of_device."""
        with self._lock:
            run = _Run(self._now())
            for event in events:
                self._device(run, event)
            return self._finished(run)

    def in_all(self) -> Report:
        """The counts of all calls."""
        with self._lock:
            report = Report()
            for name in COUNTS:
                setattr(report, name, self._totals[name])
            return report

    def lost(self, number: int, why: str) -> Report:
        """Frames that did not get as far as here."""
        with self._lock:
            report = Report(received=number, dropped=number)
            report.tell(f"{number} dropped: {why}")
            self._totals.update(_counts(report))
            return report

    def _device(self, run: "_Run", event: Mapping[str, Any]) -> None:
        source = lines.source_of(event)
        try:
            found = list(lines.payloads(event))
        except syslog.MalformedError as error:
            run.add_malformed(source, "the event", error.reason, json.dumps(event, default=str).encode())
            return
        for number, line in enumerate(found, start=1):
            try:
                run.add(lines.of_device(line, event, run.now_ms))
            except syslog.MalformedError as error:
                run.add_malformed(source, f"line {number}, byte {error.place}", error.reason, line)

    def _finished(self, run: "_Run") -> Report:
        """Filter, hand on, count."""
        report = run.report
        wanted = [line.without(self.secrets) for line in run.lines if self._wants(line)]
        report.filtered = len(run.lines) - len(wanted)
        if run.too_many:
            run.say("drain", f"{run.too_many} dropped: more than {LINES_MAX} lines at once")
        both = [*wanted, *(word.without(self.secrets) for word in run.words)]
        lost: set[int] = set()
        for sink in self._sinks if both else ():
            refused = sink.put(both)
            lost |= {place for place in refused if place < len(wanted)}
            if sink is self._sinks[0] and len(refused) == len(both):
                report.is_refused = True
            for reason, number in Counter(refused.values()).items():
                report.tell(f"{sink.name}: {number} not taken: {reason}")
        report.dropped = run.too_many + len(lost)
        report.forwarded = len(wanted) - len(lost)
        self._totals.update(_counts(report))
        return report

    def _wants(self, line: Line) -> bool:
        if line.level not in self._levels:
            return False
        return not self._sources or any(fnmatchcase(line.source, pattern) for pattern in self._sources)


class _Run:
    """What one call brings."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.report = Report()
        self.lines: list[Line] = []
        self.words: list[Line] = []
        self.too_many = 0

    def add(self, line: Line) -> None:
        self.report.received += 1
        if len(self.lines) < LINES_MAX:
            self.lines.append(line)
        else:
            self.too_many += 1

    def add_malformed(self, source: str, where: str, reason: str, data: bytes) -> None:
        """One that is kept with its place and reason, shortened."""
        self.report.received += 1
        self.report.malformed += 1
        if self.report.malformed <= _MALFORMED_MAX:
            self.say(source, f"malformed: {where}: {reason}: {lines.excerpt(data)}")

    def say(self, source: str, text: str) -> None:
        """What is told to whom asks, and kept beside the lines."""
        word = lines.own_word(source, text, self.now_ms)
        self.words.append(word)
        self.report.tell(word.text)


def _counts(report: Report) -> dict[str, int]:
    return {name: getattr(report, name) for name in COUNTS}
