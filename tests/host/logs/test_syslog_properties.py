"""Frames and messages of syslog, well formed and not: each is counted once, whatever comes."""

import datetime as dt
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.logs.drain import syslog
from tools.logs.drain.drain import COUNTS, Drain, Report
from tools.logs.drain.frames import split
from tools.logs.drain.lines import Line

PRINTABLE = st.characters(min_codepoint=33, max_codepoint=126)
NAMES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='=]"'), min_size=1, max_size=32
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
DATA = st.dictionaries(NAMES, st.lists(st.tuples(NAMES, TEXTS), max_size=3), max_size=3)
TIMES = st.datetimes(
    timezones=st.just(dt.UTC), min_value=dt.datetime(1970, 1, 2), max_value=dt.datetime(9998, 1, 1)
)


class Kept:
    """A sink that takes all, or nothing of those that it refuses."""

    name = "kept"

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.refuses = False

    def put(self, found: Sequence[Line]) -> dict[int, str]:
        if self.refuses:
            return dict.fromkeys(range(len(found)), "no room")
        self.lines += found
        return {}

    def of(self, kind: str) -> list[Line]:
        return [line for line in self.lines if line.kind == kind]


def word(most: int) -> st.SearchStrategy[str]:
    """One of the header, "" for a NILVALUE."""
    return st.text(PRINTABLE, max_size=most).filter(lambda text: text != "-")


@st.composite
def messages(draw: st.DrawFn, is_structured: bool = True) -> tuple[bytes, syslog.Message]:
    """One, and what is in it."""
    facility, severity = draw(st.integers(0, 23)), draw(st.integers(0, 7))
    time = draw(st.none() | TIMES)
    host, application, process, message_id = words = tuple(draw(word(most)) for most in (255, 48, 128, 32))
    data = draw(DATA) if is_structured else {}
    text = draw(TEXTS)
    bom = draw(st.booleans()) and is_structured
    shown = (
        "-" if time is None else time.isoformat().replace("+00:00", draw(st.sampled_from(["Z", "+00:00"])))
    )
    head = f"<{facility * 8 + severity}>1 {shown} {' '.join(one or '-' for one in words)}"
    if is_structured:
        head += " " + ("".join(map(element, data.items())) or "-")
    body = b" " + (b"\xef\xbb\xbf" if bom else b"") + text.encode() if text or bom else b""
    text = text if bom else text.encode().removeprefix(b"\xef\xbb\xbf").decode()
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    time_ms = None if time is None else (time - epoch) // dt.timedelta(milliseconds=1)
    said = text.rstrip("\r\n")
    return head.encode() + body, syslog.Message(
        facility, severity, time_ms, host, application, process, message_id, data, said
    )


def element(named: tuple[str, list[tuple[str, str]]]) -> str:
    name, parameters = named
    escaped = str.maketrans({"\\": "\\\\", '"': '\\"', "]": "\\]"})
    return f"[{name}" + "".join(f' {key}="{value.translate(escaped)}"' for key, value in parameters) + "]"


def framed(*all_: bytes) -> bytes:
    return b"".join(b"%d %s" % (len(one), one) for one in all_)


def drained(body: bytes, **options: object) -> tuple[Report, Kept]:
    """What became of a body, of which the counts add up."""
    kept = Kept()
    drain = Drain([kept])
    report = drain.syslog(body, **options)  # type: ignore[arg-type]
    assert report.received == sum(getattr(report, name) for name in COUNTS[1:])
    assert drain.in_all() == Report(*(getattr(report, name) for name in COUNTS))
    assert len(kept.of("syslog")) == report.forwarded
    return report, kept


@given(messages())
def test_a_message_is_read_as_it_was_written(made: tuple[bytes, syslog.Message]) -> None:
    message, expected = made
    assert syslog.parse(message) == expected


@given(messages(is_structured=False))
def test_a_logplex_message_has_no_structured_data(made: tuple[bytes, syslog.Message]) -> None:
    message, expected = made
    assert syslog.parse(message, is_structured=False) == expected


@settings(max_examples=120)
@given(st.lists(messages(), max_size=3), st.data())
def test_whatever_is_done_to_a_body_each_frame_is_counted_once(
    made: list[tuple[bytes, syslog.Message]], data: st.DataObject
) -> None:
    body = framed(*(message for message, _ in made))
    at = data.draw(st.integers(0, len(body)))
    gone = data.draw(st.integers(0, 5))
    body = body[:at] + data.draw(st.binary(max_size=5)) + body[at + gone :]
    pieces = list(split(body))
    report, kept = drained(body, is_structured=data.draw(st.booleans()))
    assert report.received == len(pieces) and report.malformed == len(kept.of("drain"))
    assert all("malformed: frame " in line.text and len(line.text) < 1500 for line in kept.of("drain"))
    ends = [piece.place + len(piece.data) for piece in pieces]
    assert ends == sorted(ends) and ends[-1:] in ([], [len(body)])


@given(st.binary(max_size=60))
@example(b"9999999999 x")
@example(b"00000000001 x")
@example(b"1  1  ")
def test_any_bytes(body: bytes) -> None:
    report, _ = drained(body)
    assert bool(report.received) == bool(body)
    kept = Kept()
    assert Drain([kept]).devices([{"thing": "lamp", "line": body.hex()}]).received > 0


@given(st.lists(messages(), min_size=1, max_size=4), st.data())
def test_a_frame_that_is_cut_over_two_requests_is_told(
    made: list[tuple[bytes, syslog.Message]], data: st.DataObject
) -> None:
    frames = [framed(message) for message, _ in made]
    body = b"".join(frames)
    cut = data.draw(st.integers(0, len(body)))
    whole = [
        end for end in (len(b"".join(frames[: number + 1])) for number in range(len(frames))) if end <= cut
    ]
    first, kept = drained(body[:cut])
    assert first.forwarded == len(whole)
    assert first.malformed == (cut not in (0, *whole))
    second, more = drained(body[cut:])
    if cut in (0, *whole):
        assert second.malformed == 0 and second.forwarded == len(frames) - len(whole)
    else:
        assert kept.lines[-1].text.startswith(f"malformed: frame {len(whole) + 1}, byte ")
        assert second.malformed and more.of("drain")


@given(st.lists(messages(), max_size=3), st.integers(0, 5))
def test_a_count_that_lies_is_told(made: list[tuple[bytes, syslog.Message]], count: int) -> None:
    report, kept = drained(framed(*(message for message, _ in made)), count=count)
    told = [f"{count} frames by the sender's count, {len(made)} are there"] if count != len(made) else []
    assert [line.text for line in kept.of("drain")] == told == report.told


@pytest.mark.parametrize(
    ("message", "place", "reason"),
    [
        (b"", 0, "a priority"),
        (b"<192>1 - - - - - -", 1, "0 to 191"),
        (b"<01>1 - - - - - -", 0, "a priority"),
        (b"<1>2 - - - - - -", 3, "version 1"),
        (b"<1>1 2003-02-30T00:00:00Z - - - - -", 5, "day is out of range"),
        (b"<1>1 2003-02-03T00:00:00.1234567Z - - - - -", 5, "a time"),
        (b"<1>1 2003-02-03T00:00:60Z - - - - -", 5, "second must be"),
        (b"<1>1 2003-02-03t00:00:00z - - - - -", 5, "a time"),
        (b"<1>1 2003-02-03T00:00:00+24:00 - - - - -", 5, "no such time"),
        (b"<1>1 - %s - - - -" % (b"h" * 256), 7, "host: 1 to 255"),
        (b"<1>1 - - - - -", 14, "a space before the structured data"),
        (b"<1>1 - - - - - -x", 15, "structured data"),
        (b'<1>1 - - - - - [a b="]"]', 17, 'name="value"'),
        (b"<1>1 - - - - - [a][a]", 18, "a second time"),
        (b"<1>1 - - - - - [a]x", 18, "a space before the text"),
        (b'<1>1 - - - - - [a b="\xff"]', 17, "not UTF-8"),
        (b"<1>1 - - - - - - \xef\xbb\xbfgood\xff", 24, "byte order mark"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(message: bytes, place: int, reason: str) -> None:
    with pytest.raises(syslog.MalformedError) as wrong:
        syslog.parse(message)
    assert wrong.value.place == place and reason in wrong.value.reason


def test_the_examples_of_the_standard_and_of_logplex() -> None:
    first = syslog.parse(
        b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed"
    )
    assert (first.facility, first.severity, first.host, first.message_id) == (
        4,
        2,
        "mymachine.example.com",
        "ID47",
    )
    assert first.text == "'su root' failed" and first.time_ms == 1_065_910_455_003
    west = syslog.parse(b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time.")
    assert west.time_ms == 1_061_727_255_000 and west.text == "%% It's time."
    escaped = syslog.parse(rb'<1>1 - - - - - [a@1 b="\\ \" \] \x"] [no data]')
    assert escaped.data == {"a@1": [("b", '\\ " ] \\x')]} and escaped.text == "[no data]"
    body = b"70 <174>1 2012-07-22T00:06:26+00:00 host erlang console - Hi from erlang\n" * 2
    report, kept = drained(body[:-1], is_structured=False, count=2)
    assert (report.forwarded, report.malformed) == (1, 1)
    (line,) = kept.of("syslog")
    assert (line.source, line.area, line.level, line.text) == (
        "host",
        "erlang[console]",
        "I",
        "Hi from erlang",
    )
