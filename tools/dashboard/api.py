"""What a page asks for and what it may do: docs/dashboard.md has each path."""

import asyncio
import csv
import io
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tools.dashboard import actions
from tools.dashboard.calls import Calls
from tools.dashboard.devices import Device, Fleet
from tools.dashboard.guard import RefusedError
from tools.dashboard.history import History
from tools.dashboard.lookups import Lookups
from tools.dashboard.simulation import Simulation
from tools.dashboard.stream import Stream
from tools.dashboard.updating import Releases

_HOUR_MS = 3_600_000
_POINTS, _POINTS_MAX = 600, 5000
_LINES, _LINES_MAX = 200, 1000
_FIELDS_MAX = 20
_CSV_ROWS = 2000
_BODY_MAX = 64 * 1024
_FORMULA = ("=", "+", "-", "@")
_NO_SIMULATION = "Worlds are those of make run."


class Api:
    """The handlers.

    Args:
        about: "cloud", "where", "writable" and so on of /api/fleet.
        releases: what a device can be updated to; None: nothing.
        simulation: None where the devices are real.
    """

    def __init__(
        self,
        about: Callable[[], dict[str, Any]],
        fleet: Fleet,
        history: History,
        stream: Stream,
        calls: Calls,
        lookups: Lookups,
        releases: Releases | None,
        simulation: Simulation | None,
    ) -> None:
        self._about = about
        self._fleet = fleet
        self._history = history
        self._stream = stream
        self._calls = calls
        self._lookups = lookups
        self._releases = releases
        self._simulation = simulation

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Have each path led to its handler."""
        device = "/api/devices/{name}"
        router.add_get("/api/fleet", self._get_fleet)
        router.add_get("/api/stream", self._get_stream)
        router.add_get(device, self._get_device)
        router.add_get(device + "/series", self._get_series)
        router.add_get(device + "/telemetry.csv", self._get_csv)
        router.add_get(device + "/log", self._get_log)
        router.add_get(device + "/shadow", self._get_shadow)
        router.add_put(device + "/shadow", self._put_shadow)
        router.add_post(device + "/jobs", self._post_job)
        router.add_delete(device + "/jobs/{job}", self._delete_job)
        router.add_post(device + "/commands", self._post_command)
        router.add_post(device + "/update", self._post_update)
        router.add_get("/api/releases", self._get_releases)
        router.add_get("/api/world", self._get_world)
        router.add_post("/api/world", self._post_world)
        router.add_post("/api/world/{name}", self._post_world_device)

    def snapshot(self) -> dict[str, Any]:
        """All of /api/fleet."""
        return self._about() | {"now": _now(), "devices": self._fleet.summaries()}

    async def _get_fleet(self, _request: web.Request) -> web.Response:
        return _json(self.snapshot())

    async def _get_stream(self, request: web.Request) -> web.StreamResponse:
        return await self._stream.answer(request, request.query.get("device"))

    async def _get_device(self, request: web.Request) -> web.Response:
        device = self._device(request)
        name = device.name
        shadows: list[str] = []
        jobs: list[dict[str, Any]] = []
        commands: list[dict[str, Any]] = []
        certificates: list[dict[str, Any]] = []
        if not self._is_coming(device):
            shadows = await self._calls.ask(actions.shadow_names, name)
            jobs = await self._calls.ask(actions.list_jobs, name)
            commands = await self._calls.ask(actions.list_commands, name)
            certificates = await self._calls.ask(actions.certificates, name)
            self._fleet.jobs(name, jobs)
            self._lookups.jobs(name)
        return _json(
            {
                "summary": device.summary(),
                "fields": self._history.fields(name),
                "shadows": shadows,
                "jobs": jobs,
                "commands": commands,
                "modes": await _in_thread(self._history.modes, name),
                "certificates": certificates,
            }
        )

    def _is_coming(self, device: Device) -> bool:
        """Whether the cloud does not know a simulated device as yet."""
        return device.by_console and device.connected is None

    async def _get_series(self, request: web.Request) -> web.Response:
        name = self._device(request).name
        start_ms, end_ms = _span(request)
        points = _number(request, "points", _POINTS, 2, _POINTS_MAX)
        asked = [field for field in request.query.get("fields", "").split(",") if field]
        known = self._history.fields(name)
        if len(asked) > _FIELDS_MAX:
            raise RefusedError(400, f"fields: more than {_FIELDS_MAX}", "Ask for some at a time.")
        fields = [field for field in asked if field in known]
        return _json(await _in_thread(self._history.series, name, fields, start_ms, end_ms, points))

    async def _get_csv(self, request: web.Request) -> web.StreamResponse:
        name = self._device(request).name
        start_ms, end_ms = _span(request)
        fields = self._history.fields(name)
        response = web.StreamResponse(headers={"Content-Type": "text/csv; charset=utf-8"})
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
        response.headers["Content-Disposition"] = f'attachment; filename="{plain}.csv"'
        await response.prepare(request)
        await response.write(_csv([["time", *(_cell(field) for field in fields)]]))
        while True:
            rows = await _in_thread(self._history.rows, name, start_ms, end_ms, _CSV_ROWS)
            await response.write(
                _csv([[_iso(ms), *(values.get(field, "") for field in fields)] for ms, values in rows])
            )
            if len(rows) < _CSV_ROWS:
                break
            start_ms = rows[-1][0] + 1
        await response.write_eof()
        return response

    async def _get_log(self, request: web.Request) -> web.Response:
        name = self._device(request).name
        before = _number(request, "before", 0, 0, 1 << 60) or None
        count = _number(request, "count", _LINES, 1, _LINES_MAX)
        return _json(await _in_thread(self._history.lines, name, before, count))

    async def _get_shadow(self, request: web.Request) -> web.Response:
        name, which = self._device(request).name, request.query.get("name", "")
        return _json(await self._calls.ask(actions.get_shadow, name, which))

    async def _put_shadow(self, request: web.Request) -> web.Response:
        name, which = self._changed_device(request).name, request.query.get("name", "")
        body = await _body(request)
        desired, version = body.get("desired"), body.get("version")
        if not isinstance(desired, dict):
            raise RefusedError(400, "desired: not an object", 'As {"desired": {"led": true}, "version": 3}.')
        if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
            raise RefusedError(400, "version: not the number that was read", "Read the shadow again.")
        return _json(await self._calls.ask(actions.put_shadow, name, which, desired, version))

    async def _post_job(self, request: web.Request) -> web.Response:
        name = self._changed_device(request).name
        document = (await _body(request)).get("document")
        if not isinstance(document, dict):
            raise RefusedError(400, "document: not an object", 'As {"document": {"action": "reboot"}}.')
        made = await self._calls.ask(actions.make_job, name, document)
        self._lookups.jobs(name)
        return _json(made)

    async def _delete_job(self, request: web.Request) -> web.Response:
        name = self._changed_device(request).name
        force = request.query.get("force") == "1"
        done = await self._calls.ask(actions.cancel_job, name, request.match_info["job"], force)
        self._lookups.jobs(name)
        return _json(done)

    async def _post_command(self, request: web.Request) -> web.Response:
        name = self._changed_device(request).name
        body = await _body(request)
        command, payload = body.get("name"), body.get("payload", {})
        if not isinstance(command, str) or not command or not isinstance(payload, dict):
            raise RefusedError(
                400, "name: a text, payload: an object", 'As {"name": "led", "payload": {"on": true}}.'
            )
        started = await self._calls.ask(actions.run_command, name, command, payload)
        self._lookups.commands(name)
        return _json(started)

    async def _get_releases(self, _request: web.Request) -> web.Response:
        return _json(await self._releases.list_() if self._releases else [])

    async def _post_update(self, request: web.Request) -> web.Response:
        name = self._changed_device(request).name
        release = (await _body(request)).get("release")
        if self._releases is None:
            raise RefusedError(404, "no releases", "Name their folder: --releases DIR.")
        if not isinstance(release, str):
            raise RefusedError(400, "release: not a text", "One of GET /api/releases.")
        job = await self._releases.update(name, release)
        self._lookups.jobs(name)
        return _json({"job": job})

    async def _get_world(self, _request: web.Request) -> web.Response:
        return _json(self._world().state())

    async def _post_world(self, request: web.Request) -> web.Response:
        self._world().change(await _body(request))
        return _json(self._world().state())

    async def _post_world_device(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return _json(await self._world().change_device(name, await _body(request)))

    def _world(self) -> Simulation:
        if self._simulation is None:
            raise RefusedError(404, "these devices are not simulated", _NO_SIMULATION)
        return self._simulation

    def _device(self, request: web.Request) -> Device:
        device = self._fleet.devices.get(request.match_info["name"])
        if device is None:
            raise RefusedError(404, "no such device", "GET /api/fleet has those there are.")
        return device

    def _changed_device(self, request: web.Request) -> Device:
        if not self._about()["writable"]:
            raise RefusedError(
                403, "this page only reads", "Start it with --write."
            )
        return self._device(request)


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(function, *arguments)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise RefusedError(400, "no JSON", "Send a JSON object.") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "not an object", "Send a JSON object.")
    return found


def _json(value: Any) -> web.Response:
    text = json.dumps(value, separators=(",", ":"), default=str)
    return web.Response(text=text, content_type="application/json")


def _number(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query.get(name, "")
    try:
        number = int(float(text)) if text else default
    except (ValueError, OverflowError):
        raise RefusedError(400, f"{name}: no number", f"{least} to {most}.") from None
    if not least <= number <= most:
        raise RefusedError(400, f"{name}: {number}, must be {least} to {most}", "Ask again.")
    return number


def _span(request: web.Request) -> tuple[int, int]:
    end_ms = _number(request, "to", _now() + 1, 0, 1 << 52)
    return _number(request, "from", max(0, end_ms - _HOUR_MS), 0, 1 << 52), end_ms


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(field: str) -> str:
    """A device's word, which must be no formula of a spreadsheet's."""
    return "'" + field if field.startswith(_FORMULA) else field


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _now() -> int:
    return int(time.time() * 1000)
