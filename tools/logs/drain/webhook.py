"""A webhook: lines by HTTPS, some at a time, tried again for a bounded time."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPSConnection
from itertools import groupby
from urllib.parse import urlsplit

from .batches import Placed, batches
from .lines import Line

LINES_MAX = 500  # of one request
BYTES_MAX = 256 * 1024
ATTEMPTS = 3
ATTEMPT_S = 5.0
_PAUSE_S = 0.5  # before the second attempt, twice as long before the third
_RETRIED = (408, 425, 429)  # and 500 and above
CALL_S = 20.0  # for all that one call brings


class Webhook:
    """POSTs `{"groups": [{"kind", "source", "lines": [{"time", "level", "area", "text", …}]}]}`.

    A redirect is not followed, as it might lead the lines to somebody else. While the other end does not
    answer, each call tries once alone, so that it holds up nothing else for long.

    Args:
        url: https; whoever has it may send, so that it is told nowhere.
        context: by which the server's certificate is verified.
        attempt_s: one attempt's time, from the connection to the answer.
        sleep: waits for seconds.

    Raises:
        ValueError: the URL is none of https.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        context: ssl.SSLContext | None = None,
        attempt_s: float = ATTEMPT_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username:
            raise ValueError("a webhook's URL is https://HOST/…, without a user")
        self._host, self._port = parts.hostname, parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._context = context or ssl.create_default_context()
        self._attempt_s = attempt_s
        self._sleep = sleep
        self._is_down = False

    def put(self, found: Sequence[Line]) -> dict[int, str]:
        """See Sink."""
        refused: dict[int, str] = {}
        problem = ""
        end_s = time.monotonic() + CALL_S
        for batch in batches(list(enumerate(found)), LINES_MAX, BYTES_MAX, lambda line: len(line.json())):
            if time.monotonic() > end_s:
                problem = f"too slow: not all within {CALL_S:g} s"
            elif not (self._is_down and problem):  # of the batch before, which this one's would be, too
                problem = self._send(_body(batch))
            refused |= {place: problem for place, _ in batch} if problem else {}
        return refused

    def _send(self, body: bytes) -> str:
        """What was wrong with the last attempt; "" where it was taken."""
        attempts = 1 if self._is_down else ATTEMPTS
        for attempt in range(attempts):
            problem, is_final = self._attempt(body)
            if not problem or is_final:
                self._is_down = False
                return problem
            if attempt + 1 < attempts:
                self._sleep(_PAUSE_S * 2**attempt)
        self._is_down = True
        return f"{problem}, {attempts} times"

    def _attempt(self, body: bytes) -> tuple[str, bool]:
        """What was wrong, and whether it would be again."""
        connection = HTTPSConnection(self._host, self._port, timeout=self._attempt_s, context=self._context)
        end_s = time.monotonic() + self._attempt_s
        over = threading.Timer(self._attempt_s, _shut, [connection])  # one that drips has no more time
        try:
            connection.connect()
            over.start()
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except ssl.SSLCertVerificationError:
            return "its certificate is not to be trusted", True
        except (OSError, HTTPException) as error:
            is_late = isinstance(error, TimeoutError) or time.monotonic() > end_s
            why = f" within {self._attempt_s:g} s" if is_late else f": {type(error).__name__}"
            return f"no answer{why}", False
        finally:
            over.cancel()
            connection.close()
        is_taken = 200 <= status < 300
        return "" if is_taken else f"status {status}", status < 500 and status not in _RETRIED


def _shut(connection: HTTPSConnection) -> None:
    if connection.sock is not None:
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has ended by itself
            return


def _body(batch: list[Placed]) -> bytes:
    def source(line: Line) -> tuple[str, str]:
        return line.kind, line.source

    groups = [
        {"kind": kind, "source": name, "lines": [_inner(line) for line in group]}
        for (kind, name), group in groupby(sorted((line for _, line in batch), key=source), source)
    ]
    return json.dumps({"groups": groups}).encode()


def _inner(line: Line) -> dict[str, object]:
    return {name: value for name, value in line.document().items() if name not in ("kind", "source")}
