"""What is in a request, checked, and the forms of an answer."""

import csv
import io
import json
import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tools.dashboard.guard import RefusedError

BODY_MAX = 64 * 1024
_HOUR_MS = 3_600_000
_FORMULA = ("=", "+", "-", "@")
_TIME_MAX = 1 << 52


async def body(request: web.Request) -> dict[str, Any]:
    """A request's JSON object. Raises RefusedError."""
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise RefusedError(400, "no JSON", "Send a JSON object.") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "not an object", "Send a JSON object.")
    return found


def number(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """One in the query. Raises RefusedError."""
    text = request.query.get(name, "")
    try:
        found = int(float(text)) if text else default
    except (ValueError, OverflowError):
        raise RefusedError(400, f"{name}: no number", f"{least} to {most}.") from None
    if not least <= found <= most:
        raise RefusedError(400, f"{name}: {found}, must be {least} to {most}", "Ask again.")
    return found


def span(request: web.Request) -> tuple[int, int]:
    """The time from and up to, by default the last hour. Raises RefusedError."""
    end_ms = number(request, "to", now_ms() + 1, 0, _TIME_MAX)
    return number(request, "from", max(0, end_ms - _HOUR_MS), 0, _TIME_MAX), end_ms


def as_json(value: Any) -> web.Response:
    """The answer with it."""
    return web.Response(text=json.dumps(value, separators=(",", ":")), content_type="application/json")


def as_csv(rows: list[list[Any]]) -> bytes:
    """Some lines."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def csv_time(ms: int) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def csv_name(field: str) -> str:
    """A device's word, which must be no formula of a spreadsheet's."""
    return "'" + field if field.startswith(_FORMULA) else field


def file_name(name: str) -> str:
    """A thing's name as that of a file."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)


def now_ms() -> int:
    """Since 1970."""
    return int(time.time() * 1000)
