"""The Lambda: called by its URL with syslog, and by the rule on the devices' log topic.

What it needs to know is in its environment: GROUP, LEVEL, SOURCES, PAGE; and in the parameters of SSM that
TOKEN_PARAMETER and WEBHOOK_PARAMETER name, the drain tokens and the webhook's URL.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from . import requests
from .cloudwatch import CloudWatch
from .drain import Drain, Report, Sink
from .page import Page
from .webhook import Webhook

_KEPT_S = 300  # a secret that was changed counts by then
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=3, read_timeout=10)


class NotTakenError(Exception):
    """No sink has taken what a device said: Lambda brings it again."""


def handle(event: Mapping[str, Any], _context: Any = None) -> dict[str, Any]:
    """Serve one event."""
    drain = _drain()
    drain.secrets = tokens = tuple(_secret(os.environ["TOKEN_PARAMETER"]).split())
    if "requestContext" in event:
        return serve(drain, event, tokens)
    report = drain.devices([event])
    _tell(report)
    if report.is_refused:
        raise NotTakenError(report.told)
    return report.document()


def serve(
    drain: Drain,
    event: Mapping[str, Any],
    tokens: tuple[str, ...],
    tell: Callable[[Report], None] | None = None,
) -> dict[str, Any]:
    """A request with syslog: what became of its frames, or why it is not served. On this computer, too."""
    try:
        request = requests.request_of(event, tokens)
    except requests.RefusedError as error:
        return requests.answer(error.status, {"ok": False, "text": error.text})
    report = drain.syslog(request.body, request.is_structured, request.count, request.frame_id)
    (tell or _tell)(report)
    return requests.answer(503 if report.is_refused else 200, report.document())


def _tell(report: Report) -> None:
    """In the function's own log, as far as it is not everyday."""
    if report.told:
        print(json.dumps(report.document()))


@cache
def _drain() -> Drain:
    """One for the life of this process, with what it remembers."""
    environment = os.environ
    clock = lambda: int(time.time() * 1000)  # noqa: E731
    sinks: list[Sink] = [CloudWatch(_client("logs"), environment["GROUP"], clock)]
    if url := _secret(environment.get("WEBHOOK_PARAMETER", "")):
        sinks.append(Webhook(url))
    if environment.get("PAGE") == "on":
        sinks.append(Page(_client("iot-data")))
    sources = environment.get("SOURCES", "").split()
    return Drain(sinks, environment.get("LEVEL", "D"), sources, clock_ms=clock)


@cache
def _client(service: str) -> Any:
    return botocore.session.get_session().create_client(service, config=_CONFIG)


_secrets: dict[str, tuple[float, str]] = {}


def _secret(name: str) -> str:
    """A parameter of SSM, "" where there is none."""
    kept = _secrets.get(name)
    if kept and time.monotonic() - kept[0] < _KEPT_S:
        return kept[1]
    value = ""
    if name:
        try:
            found = _client("ssm").get_parameter(Name=name, WithDecryption=True)
            value = str(found["Parameter"]["Value"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
    _secrets[name] = time.monotonic(), value
    return value
