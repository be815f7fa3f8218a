"""`tools logs`: what is drained here is on the live page, at the webhook and at a terminal."""

import asyncio
import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.logs.test_syslog_properties import Kept, framed
from tests.host.thing.conftest import PATIENCE, Done, in_process
from tests.host.thing.device import Device, register
from tests.patience import PATIENCE_S, block_until
from tests.peers.cloud_thread import CloudThread
from tools.board.shared import listed
from tools.dashboard.history import History
from tools.logs import arguments, devices
from tools.logs.devices import Devices
from tools.logs.drain.drain import Drain, Report
from tools.logs.serve import Server
from tools.logs.showing import Show

Logs = Callable[..., Done]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudThread]:
    with CloudThread(tmp_path_factory.mktemp("cloud"), rest_port=0) as running:
        yield running


@pytest.fixture
def logs(cloud: CloudThread, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Logs:
    state = str(cloud.folder / "state")
    return lambda *arguments: in_process(monkeypatch, capsys, "logs", "--state", state, *arguments)


def post(server: Server, body: bytes, **headers: str) -> dict[str, Any]:
    token = server.token_file.read_text()
    request = urllib.request.Request(
        server.url, body, {"Logplex-Drain-Token": token, "Content-Type": "application/syslog", **headers}
    )
    context = ssl.create_default_context(cafile=str(server.root))
    with urllib.request.urlopen(request, timeout=PATIENCE_S, context=context) as answer:
        return json.loads(answer.read())


async def test_syslog_and_devices_lines_on_this_computer(cloud: CloudThread, logs: Logs) -> None:
    """Again and again, until who follows has seen them: nobody tells when it has subscribed."""
    state = cloud.folder / "state"
    over = threading.Event()
    body = framed(b"<11>1 - router kernel - - - hot", b"<14>1 - other x - - - warm", b"no")
    async with Server(state, 0, "I", [], None) as server:
        assert server.token_file.stat().st_mode & 0o777 == 0o600

        def send() -> None:
            with Device(cloud, "lamp", register(cloud, "lamp")) as lamp:
                while not over.wait(0.05):
                    report = post(server, body)
                    assert (report["forwarded"], report["malformed"]) == (2, 1)
                    lamp.publish("telemetry/lamp/log", {"t": 1, "level": "E", "area": "app", "text": "off"})

        sending = asyncio.create_task(asyncio.to_thread(send))
        try:
            every = await asyncio.to_thread(logs, "--count", "8", "--seconds", PATIENCE)
            some = await asyncio.to_thread(
                logs, "--source", "r*", "--level", "error", "--count", "2", "--json"
            )
        finally:
            over.set()
            await sending
    assert every.status == 0 and some.status == 0
    shown = {line[25:] for line in every.out.splitlines()}
    assert shown <= {
        "router              E kernel: hot",
        "other               I x: warm",
        "syslog              W drain: malformed: frame 3, byte 65 of the body: a priority in <> expected: no",
        "lamp                E app: off",
    }
    assert len(shown) >= 3
    assert [(one["source"], one["text"]) for one in some.objects] == [("router", "hot")] * 2


async def test_devices_lines_wait_for_a_slow_sink_and_what_is_more_is_counted(
    cloud: CloudThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_WAITING_MAX", 5)
    kept = Kept()
    reports: list[Report] = []
    drain = Drain([kept])
    slow = Devices(cloud.folder / "state", drain, reports.append)
    slow._threads = slow._threads[:1]  # nobody hands on as yet
    async with slow:
        with Device(cloud, "many", register(cloud, "many")) as many:
            for number in range(8):
                many.publish("telemetry/many/log", {"level": "I", "area": "a", "text": str(number)})
            await asyncio.to_thread(block_until, lambda: slow._lost == 3, "eight messages")
            slow.hand_on(0)
    assert [line.text for line in kept.lines] == ["0", "1", "2", "3", "4"]
    assert [report.dropped for report in reports] == [0, 3]
    total = drain.in_all()
    assert (total.received, total.forwarded, total.dropped) == (8, 5, 3)


def test_what_was_kept_since_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_ms = int(time.time() * 1000)
    with History(tmp_path) as history:
        history.log("lamp", now_ms - 3_600_000 * 5, "I", "app", "too old")
        history.log("lamp", now_ms - 60_000, "W", "wifi", "gone")
        history.log("router", now_ms - 50_000, "E", "kernel", "hot")
        history.log("lamp", now_ms - 40_000, "D", "app", "detail")
        history.flush()

    def texts(*arguments: str) -> list[str]:
        state = ("--state", str(tmp_path), "--seconds", "0.01", "--json", *arguments)
        return [one["text"] for one in in_process(monkeypatch, capsys, "logs", *state).objects]

    assert texts("--since", "2h") == ["gone", "hot", "detail"]
    assert texts("--since", "2h", "--thing", "lamp", "--level", "warning") == ["gone"]
    assert texts("--since", "55s") == ["hot", "detail"]
    assert texts("--since", "1970-01-01", "--count", "1") == ["too old"]


@pytest.mark.parametrize("text", ["2x", "", "h", "2026-13-01", "-1h"])
def test_no_time(text: str) -> None:
    with pytest.raises(Exception, match="10m, 2h"):
        arguments.since(text)


def test_a_crash_has_its_functions_own_names(capsys: pytest.CaptureFixture[str]) -> None:
    """A device calls the library's by names of MicroPython's (tools.board.shared)."""
    name = listed()["acknowledge"]
    traceback = f'Traceback (most recent call last):\n  File "/pack/iot/mqtt/queues.mpy", line 1, in {name}\n'
    for as_json in (False, True):
        found = {"source": "lamp", "kind": "crash", "type": "KeyError", "traceback": traceback}
        Show(as_json).line(found)
        shown = capsys.readouterr().out
        assert "in acknowledge" in shown and name not in shown
