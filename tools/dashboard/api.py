"""What a page asks for and what it may do: docs/dashboard.md has each path."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tools.dashboard import actions, asked
from tools.dashboard.calls import Calls
from tools.dashboard.devices import SYSLOG, Device, Fleet
from tools.dashboard.guard import RefusedError
from tools.dashboard.history import History
from tools.dashboard.lookups import Lookups
from tools.dashboard.simulation import Simulation
from tools.dashboard.stream import Stream
from tools.dashboard.updating import Releases

_POINTS, _POINTS_MAX = 600, 5000
_LINES, _LINES_MAX = 200, 1000
_FIELDS_MAX = 20
_CSV_ROWS = 2000
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
        job_list: actions.JobList,
        lookups: Lookups,
        releases: Releases | None,
        simulation: Simulation | None,
    ) -> None:
        self._about = about
        self._fleet = fleet
        self._history = history
        self._stream = stream
        self._calls = calls
        self._list = job_list
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
        return self._about() | {"now": asked.now_ms(), "devices": self._fleet.summaries()}

    async def _get_fleet(self, _request: web.Request) -> web.Response:
        return asked.as_json(self.snapshot())

    async def _get_stream(self, request: web.Request) -> web.StreamResponse:
        return await self._stream.answer(request, request.query.get("device"))

    async def _get_device(self, request: web.Request) -> web.Response:
        device = self._device(request)
        name = device.name
        shadows = [""]  # which can be made, where there is none as yet
        jobs: list[dict[str, Any]] = []
        commands: list[dict[str, Any]] = []
        certificates: list[dict[str, Any]] = []
        if not self._is_coming(device):
            named, jobs, commands, certificates = await asyncio.gather(
                self._calls.ask(actions.shadow_names, name),
                self._calls.ask(self._list.of, name),
                self._calls.ask(actions.list_commands, name),
                self._calls.ask(actions.certificates, name),
            )
            shadows = sorted({*shadows, *named})
            self._lookups.found(name, jobs)
        return asked.as_json(
            {
                "summary": device.summary(),
                "fields": self._history.fields(name),
                "shadows": shadows,
                "jobs": jobs,
                "commands": commands,
                "modes": await asyncio.to_thread(self._history.modes, name),
                "certificates": certificates,
            }
        )

    def _is_coming(self, device: Device) -> bool:
        """Whether the cloud does not know it: a simulated device as yet, or no device at all."""
        return device.connected is None and (device.by_console or device.mode == SYSLOG)

    async def _get_series(self, request: web.Request) -> web.Response:
        name = self._device(request).name
        start_ms, end_ms = asked.span(request)
        points = asked.number(request, "points", _POINTS, 2, _POINTS_MAX)
        wanted = [field for field in request.query.get("fields", "").split(",") if field]
        known = self._history.fields(name)
        if len(wanted) > _FIELDS_MAX:
            raise RefusedError(400, f"fields: more than {_FIELDS_MAX}", "Ask for some at a time.")
        fields = [field for field in wanted if field in known]
        return asked.as_json(
            await asyncio.to_thread(self._history.series, name, fields, start_ms, end_ms, points)
        )

    async def _get_csv(self, request: web.Request) -> web.StreamResponse:
        name = self._device(request).name
        start_ms, end_ms = asked.span(request)
        fields = self._history.fields(name)
        response = web.StreamResponse(headers={"Content-Type": "text/csv; charset=utf-8"})
        response.headers["Content-Disposition"] = f'attachment; filename="{asked.file_name(name)}.csv"'
        await response.prepare(request)
        await response.write(asked.as_csv([["time", *(asked.csv_name(field) for field in fields)]]))
        while True:
            rows = await asyncio.to_thread(self._history.rows, name, start_ms, end_ms, _CSV_ROWS)
            await response.write(
                asked.as_csv(
                    [
                        [asked.csv_time(ms), *(values.get(field, "") for field in fields)]
                        for ms, values in rows
                    ]
                )
            )
            if len(rows) < _CSV_ROWS:
                break
            start_ms = rows[-1][0] + 1
        await response.write_eof()
        return response

    async def _get_log(self, request: web.Request) -> web.Response:
        name = self._device(request).name
        before = asked.number(request, "before", 0, 0, 1 << 60) or None
        count = asked.number(request, "count", _LINES, 1, _LINES_MAX)
        return asked.as_json(await asyncio.to_thread(self._history.lines, name, before, count))

    async def _get_shadow(self, request: web.Request) -> web.Response:
        name, which = self._device(request).name, request.query.get("name", "")
        return asked.as_json(await self._calls.ask(actions.get_shadow, name, which))

    async def _put_shadow(self, request: web.Request) -> web.Response:
        name, which = self._changed_device(request).name, request.query.get("name", "")
        body = await asked.body(request)
        desired, version = body.get("desired"), body.get("version")
        if not isinstance(desired, dict):
            raise RefusedError(400, "desired: not an object", 'As {"desired": {"led": true}, "version": 3}.')
        if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
            raise RefusedError(400, "version: not the number that was read", "Read the shadow again.")
        return asked.as_json(await self._calls.ask(actions.put_shadow, name, which, desired, version))

    async def _post_job(self, request: web.Request) -> web.Response:
        name = self._changed_device(request).name
        document = (await asked.body(request)).get("document")
        if not isinstance(document, dict):
            raise RefusedError(400, "document: not an object", 'As {"document": {"action": "reboot"}}.')
        made = await self._calls.ask(actions.make_job, name, document)
        self._lookups.jobs(name)
        return asked.as_json(made)

    async def _delete_job(self, request: web.Request) -> web.Response:
        name = self._changed_device(request).name
        force = request.query.get("force") == "1"
        done = await self._calls.ask(actions.cancel_job, name, request.match_info["job"], force)
        self._lookups.jobs(name)
        return asked.as_json(done)

    async def _post_command(self, request: web.Request) -> web.Response:
        name = self._changed_device(request).name
        body = await asked.body(request)
        command, payload = body.get("name"), body.get("payload", {})
        if not isinstance(command, str) or not command or not isinstance(payload, dict):
            raise RefusedError(
                400, "name: a text, payload: an object", 'As {"name": "led", "payload": {"on": true}}.'
            )
        started = await self._calls.ask(actions.run_command, name, command, payload)
        self._lookups.commands(name)
        return asked.as_json(started)

    async def _get_releases(self, _request: web.Request) -> web.Response:
        return asked.as_json(await self._releases.list_() if self._releases else [])

    async def _post_update(self, request: web.Request) -> web.Response:
        name = self._changed_device(request).name
        release = (await asked.body(request)).get("release")
        if self._releases is None:
            raise RefusedError(404, "no releases", "Name their folder: --releases DIR.")
        if not isinstance(release, str):
            raise RefusedError(400, "release: not a text", "One of GET /api/releases.")
        job = await self._releases.update(name, release)
        self._lookups.jobs(name)
        return asked.as_json({"job": job})

    async def _get_world(self, _request: web.Request) -> web.Response:
        return asked.as_json(self._world().state())

    async def _post_world(self, request: web.Request) -> web.Response:
        self._world().change(await asked.body(request))
        return asked.as_json(self._world().state())

    async def _post_world_device(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return asked.as_json(await self._world().change_device(name, await asked.body(request)))

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
            raise RefusedError(403, "this page only reads", "Start it with --write.")
        return self._device(request)
