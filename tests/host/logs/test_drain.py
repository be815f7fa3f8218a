"""The drain: who may send, what is wanted, what comes twice; and the function around it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.host.logs.test_syslog_properties import Kept, framed
from tools.logs.drain import drain as module
from tools.logs.drain import function, lines
from tools.logs.drain.drain import COUNTS, Drain, Report

TOKENS = ("d.0123456789abcdef", "another-0123456789")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def message(number: int, severity: int = 6, host: str = "host") -> bytes:
    return b"<%d>1 - %s app - - - line %d" % (8 + severity, host.encode(), number)


def request(body: bytes, headers: dict[str, str], method: str = "POST", text: bool = False) -> dict[str, Any]:
    """As a function's URL hands it on."""
    shown = body.decode() if text else base64.b64encode(body).decode()
    http = {"http": {"method": method}}
    return {"headers": headers, "requestContext": http, "body": shown, "isBase64Encoded": not text}


def of_device(payload: bytes, **members: Any) -> dict[str, Any]:
    return {"thing": "lamp", "line": base64.b64encode(payload).decode(), **members}


def test_a_request_that_comes_again_is_forwarded_once() -> None:
    kept = Kept()
    drain = Drain([kept])
    body = framed(message(1), message(2))
    kept.refuses = True
    assert drain.syslog(body, frame_id="a").document() == {
        "received": 2,
        "forwarded": 0,
        "filtered": 0,
        "malformed": 0,
        "dropped": 2,
        "told": ["kept: 2 not taken: no room"],
    }
    kept.refuses = False
    assert drain.syslog(body, frame_id="a").forwarded == 2, "what was not taken may come again"
    assert drain.syslog(body, frame_id="a") == Report(is_repeated=True)
    assert drain.syslog(body).forwarded == 2, "without an id nothing is known of it"
    for number in range(module._FRAME_IDS):
        drain.syslog(b"", frame_id=str(number))
    assert len(drain._seen) == module._FRAME_IDS
    assert len(kept.lines) == 4


def test_what_is_not_wanted_is_counted() -> None:
    kept = Kept()
    drain = Drain([kept], "W", ["esp32-*", "web"])
    body = framed(*(message(3, severity, host) for severity in range(8) for host in ("esp32-1", "web", "db")))
    report = drain.syslog(body)
    assert (report.received, report.forwarded, report.filtered) == (24, 10, 14)
    assert {(line.source, line.level) for line in kept.lines} == {
        (source, level) for source in ("esp32-1", "web") for level in "EW"
    }


def test_too_many_lines_are_dropped_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINES_MAX", 3)
    monkeypatch.setattr(module, "_MALFORMED_MAX", 2)
    kept = Kept()
    report = Drain([kept]).syslog(framed(*(message(number) for number in range(5)), b"no", b"no", b"no"))
    assert (report.received, report.forwarded, report.dropped, report.malformed) == (8, 3, 2, 3)
    assert report.told[-1] == "2 dropped: more than 3 lines at once"
    assert [line.kind for line in kept.lines] == ["syslog"] * 3 + ["drain"] * 3
    assert Drain([kept]).lost(7, "why").dropped == 7


def test_a_sink_beside_the_first_that_refuses_has_nothing_come_again() -> None:
    keeps, refuses = Kept(), Kept()
    refuses.refuses = True
    report = Drain([keeps, refuses]).syslog(framed(message(1)))
    assert (report.forwarded, report.dropped, report.is_refused) == (0, 1, False)
    assert Drain([refuses, keeps]).syslog(framed(message(1))).is_refused


def test_a_token_in_a_line_is_hidden() -> None:
    kept = Kept()
    drain = Drain([kept], secrets=TOKENS)
    drain.syslog(framed(b"<40>1 - heroku web.3 %s - - up" % TOKENS[0].encode(), b"x" + TOKENS[1].encode()))
    assert kept.lines[0].area == "web.3[…]" and kept.lines[1].text.endswith(": x…")
    drain.syslog(framed(b'<40>1 - %s - - %s [a b="%s"] %s' % ((TOKENS[0].encode(),) * 4)))
    assert "0123456789" not in kept.lines[2].json() and kept.lines[2].json().count("…") == 4


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Logplex-Drain-Token": TOKENS[0]}, 200),
        ({"Logplex-Drain-Token": TOKENS[1]}, 200),
        ({"Authorization": f"Bearer {TOKENS[1]}"}, 200),
        ({"authorization": "Basic " + base64.b64encode(f"who:{TOKENS[0]}".encode()).decode()}, 200),
        ({}, 401),
        ({"Logplex-Drain-Token": TOKENS[0][:-1]}, 401),
        ({"Logplex-Drain-Token": " ".join(TOKENS)}, 401),
        ({"Authorization": "Basic ???"}, 401),
        ({"Authorization": "Basic \ud83d"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Logplex-Drain-Token": TOKENS[0], "Content-Type": "application/logplex-2"}, 415),
        ({"Logplex-Drain-Token": TOKENS[0], "Content-Encoding": "gzip"}, 415),
        ({"Logplex-Drain-Token": TOKENS[0], "Logplex-Msg-Count": "²"}, 400),
    ],
)
def test_who_has_a_token_may_send(headers: dict[str, str], status: int) -> None:
    kept = Kept()
    answer = function.serve(Drain([kept]), request(framed(message(1)), headers), TOKENS)
    assert answer["statusCode"] == status and len(kept.lines) == (status == 200)
    assert not any(token in answer["body"] for token in TOKENS)
    for none in ((), ("",)):
        assert function.serve(Drain([kept]), request(b"", headers), none)["statusCode"] == 503


def test_a_request_is_answered_with_what_became_of_it() -> None:
    kept = Kept()
    drain = Drain([kept])
    headers = {"Logplex-Drain-Token": TOKENS[0], "Content-Type": "application/logplex-1; charset=utf-8"}
    body = framed(b"<40>1 2012-11-30T06:45:29+00:00 host app web.3 - [up]")
    answer = function.serve(drain, request(body, {**headers, "Logplex-Msg-Count": "2"}, text=True), TOKENS)
    assert json.loads(answer["body"])["told"] == ["2 frames by the sender's count, 1 are there"]
    assert kept.of("syslog")[0].text == "[up]" and kept.of("syslog")[0].level == "E"
    kept.refuses = True
    assert function.serve(drain, request(body, headers), TOKENS)["statusCode"] == 503
    assert function.serve(drain, request(body, headers, "GET"), TOKENS)["statusCode"] == 405


def test_a_devices_line() -> None:
    kept = Kept()
    sent = (
        b'{"t": 7, "level": "warning", "area": "wifi", "text": "gone \\ud83d", "left_out": 2, "thing": "me"}'
    )
    event = of_device(sent + b'\n[]\n{"text": "no level"}', principal="p", received_ms=1000)
    report = Drain([kept]).devices([event, {"line": "not base64"}, of_device(b"")])
    assert (report.received, report.forwarded, report.malformed) == (5, 1, 4)
    assert json.loads(kept.lines[0].json()) == {
        "kind": "device",
        "source": "lamp",
        "thing": "lamp",
        "level": "W",
        "area": "wifi",
        "text": "gone \ud83d",
        "t": 7,
        "left_out": 2,
        "principal": "p",
        "time": "1970-01-01T00:00:01.000Z",
    }
    kept.lines[0].json().encode()
    assert kept.lines[1].text == "malformed: line 2, byte 0: a JSON object expected, 20 deep at most: []"


@given(
    JSON
    | st.fixed_dictionaries({"level": JSON | st.sampled_from("EWID"), "text": JSON, "area": JSON, "x": JSON})
)
def test_whatever_a_device_sends(document: Any) -> None:
    payload = json.dumps(document).encode()
    kept = Kept()
    report = Drain([kept]).devices([of_device(payload)])
    assert report.received == 1 == sum(getattr(report, name) for name in COUNTS[1:])
    for line in kept.lines:
        json.loads(line.json().encode(), parse_constant=pytest.fail)


def test_json_that_is_too_deep_or_too_long_is_malformed() -> None:
    kept = Kept()
    deep = b'{"level": "I", "text": "", "x": ' + b"[" * 60_000 + b"]" * 60_000 + b"}"
    less = b'{"level": "I", "text": "", "x": ' + b"[" * 500 + b"]" * 500 + b"}"
    long = b'{"level": "I", "text": "", "x": ' + b"9" * 5000 + b"}"
    assert Drain([kept]).devices([of_device(one) for one in (deep, less, long, b"\xff")]).malformed == 4
    assert max(len(line.text) for line in kept.lines) < 400


@given(st.integers())
def test_a_time_is_shown_whatever_it_is(time_ms: int) -> None:
    assert len(lines.moment(time_ms)) == len("2026-11-29T10:00:00.000Z")
