"""The webhook: another end that fails, is slow, lies about who it is, and comes back."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_S
from tools.cloud.ca import Authority
from tools.logs.drain import webhook
from tools.logs.drain.lines import Line
from tools.logs.drain.webhook import ATTEMPTS, LINES_MAX, Webhook

SHORT_S = 0.3  # for who never answers


class End(ThreadingHTTPServer):
    """Answers by `behaves`, called with how many requests came before."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.bodies: list[dict[str, Any]] = []
        self.asked = 0
        self.behaves: Callable[[int], int] = lambda number: 200
        self.over = threading.Event()

    def handle_error(self, *_: Any) -> None:
        """A client that goes is none of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: End

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.behaves(self.server.asked)
        self.server.asked += 1
        if status == 0:
            self.server.over.wait(PATIENCE_S)
            return
        if status == 1:  # a byte now and then: no read ever times out
            while not self.server.over.wait(SHORT_S / 5):
                self.wfile.write(b"H")
            return
        if 200 <= status < 300:
            self.server.bodies.append(json.loads(body))
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def end(authority: Authority) -> Iterator[End]:
    server = End(authority.server_context(("localhost",), mutual=False))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hook(authority: Authority, end: End) -> Callable[..., Webhook]:
    def make(attempt_s: float = PATIENCE_S, host: str = "localhost") -> Webhook:
        context = ssl.create_default_context(cadata=authority.root_pem)
        url = f"https://{host}:{end.server_address[1]}/logs?key=secret"
        return Webhook(url, context, attempt_s, sleep=lambda s: None)

    return make


def lines(number: int, source: str = "host") -> list[Line]:
    return [Line(0, "syslog", source, "I", "app", f"line {place}", {"x": 1}) for place in range(number)]


def test_lines_come_in_groups(hook: Callable[..., Webhook], end: End) -> None:
    assert hook().put([*lines(1), *lines(1, "other"), *lines(1)]) == {}
    inner = {"x": 1, "time": "1970-01-01T00:00:00.000Z", "level": "I", "area": "app", "text": "line 0"}
    assert end.bodies == [
        {
            "groups": [
                {"kind": "syslog", "source": "host", "lines": [inner, inner]},
                {"kind": "syslog", "source": "other", "lines": [inner]},
            ]
        }
    ]
    assert hook().put(lines(LINES_MAX + 1)) == {}
    assert [len(body["groups"][0]["lines"]) for body in end.bodies[1:]] == [LINES_MAX, 1]


def test_one_that_fails_and_comes_back(hook: Callable[..., Webhook], end: End) -> None:
    end.behaves = lambda number: 503 if number < ATTEMPTS - 1 else 204
    ours = hook()
    assert ours.put(lines(2)) == {} and end.asked == ATTEMPTS
    end.behaves = lambda number: 500
    refused = ours.put(lines(LINES_MAX + 1))
    assert refused == dict.fromkeys(range(LINES_MAX + 1), f"status 500, {ATTEMPTS} times")
    assert end.asked == 2 * ATTEMPTS, "the second batch is not tried as well"
    assert ours.put(lines(1)) == {0: "status 500, 1 times"} and end.asked == 2 * ATTEMPTS + 1
    end.behaves = lambda number: 200
    assert ours.put(lines(1)) == {}


@pytest.mark.parametrize("behaviour", [0, 1])
def test_one_that_never_ends_its_answer(hook: Callable[..., Webhook], end: End, behaviour: int) -> None:
    end.behaves = lambda number: behaviour
    ours = hook(SHORT_S)
    assert ours.put(lines(1)) == {0: f"no answer within {SHORT_S} s, {ATTEMPTS} times"}
    assert ours.put(lines(1)) == {0: f"no answer within {SHORT_S} s, 1 times"}


@pytest.mark.parametrize("status", [302, 400, 404, 413])
def test_what_would_be_refused_again_is_not_tried_again(
    hook: Callable[..., Webhook], end: End, status: int
) -> None:
    end.behaves = lambda number: status
    assert hook().put(lines(1)) == {0: f"status {status}"} and end.asked == 1


def test_a_stranger_gets_nothing(hook: Callable[..., Webhook], end: End, tmp_path: Path) -> None:
    assert hook(host="127.0.0.1").put(lines(1)) == {0: "its certificate is not to be trusted"}
    stranger = ssl.create_default_context(cadata=Authority(tmp_path).root_pem)
    there = f"https://localhost:{end.server_address[1]}/"
    assert "not to be trusted" in Webhook(there, stranger).put(lines(1))[0]
    assert end.asked == 0


def test_nobody_there(hook: Callable[..., Webhook], end: End) -> None:
    ours = hook()
    end.socket.close()
    assert ours.put(lines(1)) == {0: f"no answer: ConnectionRefusedError, {ATTEMPTS} times"}


def test_one_that_is_slow_has_a_bounded_time(
    hook: Callable[..., Webhook], end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "CALL_S", -1.0)
    assert hook().put(lines(1)) == {0: "too slow: not all within -1 s"}


@pytest.mark.parametrize("url", ["http://example.com/", "https://", "https://user:pw@example.com/", "x"])
def test_no_webhook(url: str) -> None:
    with pytest.raises(ValueError) as wrong:
        Webhook(url)
    assert "pw" not in str(wrong.value)
