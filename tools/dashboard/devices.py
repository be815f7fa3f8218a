"""What is known of each device: from its messages, the registry and, where it is simulated, its console."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tools.dashboard import messages, progress

_FIELDS_KEPT = 200  # of one device: one whose names never end fills no memory
_CONNECTED = "NORMAL"  # what a device is in that is connected and says nothing of it
_OFF = "OFF"
SYSLOG = "SYSLOG"  # of what is no device: a system whose log is drained
_ALL_MAX = 2000  # with those: who sends as ever another fills no memory
_TELEMETRY = re.compile(r"telemetry/([^/]+)(?:/(.+))?")
_PRESENCE = re.compile(r"\$aws/events/presence/(connected|disconnected)/([^/]+)")
_THING = re.compile(r"\$aws/things/([^/]+)/(.+)")
_DRAINED = re.compile(r"drain/([^/]+)")
_COMMAND = re.compile(r"\$aws/commands/things/([^/]+)/")
_EVENT = re.compile(r"\$aws/events/jobExecution/")
_NAMED = re.compile(r"shadow/name/([^/]+)/update/documents")
_PACKAGES = "$package"
_HEAPS = ("heap_free", "heap")


class Kept(Protocol):
    """What outlives the process."""

    def point(self, name: str, time_ms: int, values: dict[str, float]) -> None: ...
    def log(self, name: str, time_ms: int, level: str, area: str, text: str) -> int: ...
    def mode(self, name: str, time_ms: int, mode: str) -> None: ...


class Told(Protocol):
    """Who hears of changes."""

    def changed(self, name: str) -> None: ...
    def put(self, kind: str, name: str, value: Any) -> None: ...


class Asked(Protocol):
    """Who finds out what no message tells: each call returns at once."""

    def unknown(self, name: str) -> None: ...
    def connected(self, name: str, certificate_id: str) -> None: ...
    def metrics(self, name: str) -> None: ...
    def jobs(self, name: str) -> None: ...
    def commands(self, name: str) -> None: ...


@dataclass
class Device:
    """One; times in ms since 1970, None for what is not known."""

    name: str
    connected: bool | None = None
    since: int | None = None
    why: str | None = None
    mode: str | None = None
    rssi: float | None = None
    version: str | None = None
    last_message: int | None = None
    heap_free: float | None = None
    certificate_end: int | None = None
    crash_free_h: float | None = None
    update: dict[str, Any] | None = None
    by_console: bool = False  # its console is at hand: log and mode come from there alone
    fields: dict[str, None] = field(default_factory=dict)
    presence: int = -1  # the number of its connection, as messages may overtake each other
    point_ms: int = 0

    def summary(self) -> dict[str, Any]:
        """As the page gets it."""
        names = (
            "name", "connected", "since", "why", "mode", "rssi", "version", "last_message", "heap_free",
            "certificate_end", "crash_free_h", "update",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


class Fleet:
    """All devices; one thread's.

    Args:
        kept: takes points, log lines and modes.
        clock_ms: the time.
    """

    def __init__(self, kept: Kept, clock_ms: Callable[[], int] = lambda: int(time.time() * 1000)) -> None:
        self.devices: dict[str, Device] = {}
        self.told: Told | None = None
        self.asked: Asked | None = None
        self._kept = kept
        self._now = clock_ms

    def add(self, name: str, by_console: bool = False) -> Device:
        """A device that there is, from now on or already."""
        if name not in self.devices:
            self.devices[name] = Device(name)
            self._changed(name)
        device = self.devices[name]
        device.by_console = device.by_console or by_console
        return device

    def summaries(self, names: list[str] | None = None) -> list[dict[str, Any]]:
        """Of all, by name, or of some."""
        wanted = sorted(self.devices) if names is None else names
        return [self.devices[name].summary() for name in wanted if name in self.devices]

    def set(self, name: str, **values: Any) -> None:
        """What somebody else has found out."""
        device = self.devices.get(name)
        if device and any(getattr(device, key) != value for key, value in values.items()):
            for key, value in values.items():
                setattr(device, key, value)
            self._changed(name)

    def message(self, topic: str, payload: bytes) -> None:
        """What a message tells."""
        if found := _TELEMETRY.fullmatch(topic):
            self._telemetry(found[1], found[2] or "", payload)
        elif found := _DRAINED.fullmatch(topic):
            self._drained(found[1], messages.parsed(payload))
        elif found := _PRESENCE.fullmatch(topic):
            self._presence(found[2], found[1] == "connected", messages.parsed(payload))
        elif found := _THING.fullmatch(topic):
            self._service(found[1], found[2], payload)
        elif found := _COMMAND.match(topic):
            if self.asked and found[1] in self.devices:
                self.asked.commands(found[1])
        elif _EVENT.match(topic) and self.asked:
            arn = str(messages.parsed(payload).get("thingArn", ""))
            self.asked.jobs(arn.partition(":thing/")[2])

    def line(self, name: str, level: str, area: str, text: str) -> None:
        """A line of a device's log, from its console or by a message."""
        text = messages.shown(text)
        self._log(name, level, area, text)
        if mode := messages.mode(area, text):
            self.enter(name, mode)
        if step := messages.step(area, text):
            self._step(self.devices[name], step)

    def _log(self, name: str, level: str, area: str, text: str) -> None:
        now = self._now()
        number = self._kept.log(name, now, level, area, text)
        self._put("log", name, {"id": number, "time": now, "level": level, "area": area, "text": text})

    def enter(self, name: str, mode: str | None) -> None:
        """A device is in another mode."""
        device = self.devices[name]
        if mode is not None and device.mode != mode:
            device.mode = mode
            now = self._now()
            self._kept.mode(name, now, mode)
            self._put("modes", name, [now, mode])
            self._changed(name)

    def power(self, name: str, on: bool) -> None:
        """A simulated device has got power, or lost it."""
        if not on and self.devices[name].mode is not None:
            self.enter(name, _OFF)

    def _device(self, name: str) -> Device | None:
        device = self.devices.get(name)
        if device is None and self.asked:
            self.asked.unknown(name)
        return device

    def _telemetry(self, name: str, rest: str, payload: bytes) -> None:
        device = self._device(name)
        if device is None:
            return
        document = messages.parsed(payload)
        device.last_message = self._now()
        if rest == "log":
            if not device.by_console:
                self.line(name, *messages.log_line(document, payload))
        elif rest == "crash":
            self.line(name, "E", "crash", messages.crash(document))
        else:
            values = messages.numbers(document, f"{rest.replace('/', '.')}." if rest else "")
            self._point(device, values)
            if not rest:
                self._learn(device, values)
        self._changed(name)

    def _drained(self, name: str, document: dict[str, Any]) -> None:
        """Lines of another system: beside a device's own where it has its name, else in a row of its own."""
        if name not in self.devices and len(self.devices) < _ALL_MAX:
            self.add(name).mode = SYSLOG
        if name in self.devices:
            for line in messages.drained(document):
                self._log(name, *messages.log_line(line, b""))
            self.set(name, last_message=self._now())

    def _presence(self, name: str, connected: bool, document: dict[str, Any]) -> None:
        device = self._device(name)
        number = document.get("versionNumber", 0)
        if device is None or not isinstance(number, int) or number < device.presence:
            return
        if number == device.presence and connected:
            return  # its end has come before
        device.presence = number
        at = document.get("timestamp")
        device.connected, device.since = connected, at if isinstance(at, int) else self._now()
        device.why = None if connected else str(document.get("disconnectReason", ""))[:100] or None
        if connected:
            self.is_connected(device)
            if self.asked:
                self.asked.connected(name, str(document.get("principalIdentifier", "")))
        self._changed(name)

    def is_connected(self, device: Device) -> None:
        """A mode is deduced for who does not tell it."""
        if not device.by_console and device.mode in (None, _OFF, SYSLOG):
            self.enter(device.name, _CONNECTED)

    def _service(self, name: str, rest: str, payload: bytes) -> None:
        device = self._device(name)
        if device is None:
            return
        if rest == "defender/metrics/json/accepted" and self.asked:
            self.asked.metrics(name)
        elif rest == "jobs/notify" and self.asked:
            self.asked.jobs(name)
        elif rest == "shadow/update/documents":
            self._shadow(device, "", messages.parsed(payload))
        elif found := _NAMED.fullmatch(rest):
            self._shadow(device, found[1], messages.parsed(payload))
        self._changed(name)

    def _shadow(self, device: Device, shadow: str, document: dict[str, Any]) -> None:
        self._put("shadow", device.name, shadow)
        if shadow == _PACKAGES:
            current = document.get("current")
            self.packages(device, current.get("state") if isinstance(current, dict) else None)

    def packages(self, device: Device, state: Any) -> None:
        """What a `$package` shadow reports: the version of the first package."""
        reported = state.get("reported") if isinstance(state, dict) else None
        for package in reported.values() if isinstance(reported, dict) else ():
            if isinstance(package, dict) and isinstance(package.get("version"), str):
                self.set(device.name, version=package["version"][:64])
                return

    def recall(self, name: str, last: tuple[int, dict[str, float]] | None, mode: str | None) -> None:
        """What was known of a device before this server was there, as far as nothing newer is."""
        device = self.devices[name]
        if last and device.last_message is None:
            device.last_message = last[0]
            self._learn(device, last[1])
        if device.mode is None and not device.by_console:
            device.mode = mode
        self._changed(name)

    def metrics(self, name: str, values: dict[str, float]) -> None:
        """What a device has reported of itself."""
        device = self.devices[name]
        self._learn(device, values)
        self._point(device, {f"metrics.{key}": value for key, value in values.items()})
        self._changed(name)

    def _learn(self, device: Device, values: dict[str, float]) -> None:
        """What the table of all devices shows of these numbers."""
        device.rssi = values.get("rssi", device.rssi)
        device.crash_free_h = values.get("crash_free_h", device.crash_free_h)
        device.heap_free = next((values[name] for name in _HEAPS if name in values), device.heap_free)

    def _point(self, device: Device, values: dict[str, float]) -> None:
        values = {name: value for name, value in values.items() if self._is_field(device, name)}
        if not values:
            return
        # Two in a millisecond are two, and none is before the last one.
        device.point_ms = now = max(self._now(), device.point_ms + 1)
        self._kept.point(device.name, now, values)
        self._put("points", device.name, [now, values])

    def _is_field(self, device: Device, name: str) -> bool:
        if name not in device.fields and len(device.fields) < _FIELDS_KEPT:
            device.fields[name] = None
        return name in device.fields

    def jobs(self, name: str, found: list[dict[str, Any]]) -> None:
        """What there is of a device's jobs, the newest first."""
        self._put("jobs", name, found)
        updates = [job for job in found if progress.is_update(job["document"])]
        if updates and (device := self.devices.get(name)):
            self.set(name, update=progress.of_job(updates[0], device.update))

    def _step(self, device: Device, step: dict[str, Any]) -> None:
        if not (device.update and progress.is_under_way(device.update)) and self.asked:
            self.asked.jobs(device.name)  # it is another, which no message has told of
        if device.update:
            self.set(device.name, update=progress.stepped(device.update, step))

    def _changed(self, name: str) -> None:
        if self.told:
            self.told.changed(name)

    def _put(self, kind: str, name: str, value: Any) -> None:
        if self.told:
            self.told.put(kind, name, value)
