"""What a fleet needs to know of a device beside its telemetry: last crash, version, how it fares, its log.

REPORTS in firmware/settings.py switches each on; where that is empty nothing of this is in memory.
"""

import asyncio
import time

from micropython import const

from iot import memory
from iot.memory import borrow

_TURN_MS = const(1000)
_METRICS_LEAST_S = const(300)  # AWS IoT Device Defender throttles what comes more often
_LINES = const(8)  # that wait
_LINE_CHARS = const(200)
_LINE_S = const(2)  # between two lines
_HOUR_S = const(3600)
_ACKNOWLEDGED_MS = const(30000)
_WELL = const("well_h")  # in NVS: hours since the last crash


class Reports:
    """Tells what `wants` has, while there is a connection.

    Args:
        wants: {"crash": True, "log": level, "metrics_s": 300 or more, "package": a software package's name},
            each of which may be missing.
        name: the thing's name.
        client: its MQTT Client.
        system: what is told of.
    """

    def __init__(self, wants, name, client, system):
        self._wants = wants
        self._client = client
        self._system = system
        self._topic = "telemetry/" + name + "/"
        self._prefix = "$aws/things/" + name + "/"
        self._lines = []
        self._left_out = self._seconds = self._connected_s = self._metrics_s = self._line_s = 0
        self._reconnects = -1
        self._crash_told = not wants.get("crash")

    async def run(self):
        """For as long as the mode lasts; the log is its own again then."""
        log = self._system.log
        if self._wants.get("log"):
            log.drain_to(self._wants["log"], self._line)
        was_connected = False
        try:
            while True:
                await asyncio.sleep_ms(_TURN_MS)
                self._seconds += 1
                self._count_hour()
                connected = self._client.connected
                if connected:
                    self._connected_s += 1
                    if not was_connected:
                        self._reconnects += 1
                        self._connected()
                    if not self._crash_told:
                        await self._tell_crash()
                    self._turn()
                was_connected = connected
        finally:
            log.drain_to("error", None)

    def _connected(self):
        """After each connection: what has happened before it."""
        package = self._wants.get("package")
        if package and not self._reconnects:
            reported = {package: {"version": self._system.settings.VERSION}}
            topic = self._prefix + "shadow/name/$package/update"
            self._client.publish(topic, {"state": {"reported": reported}}, qos=1)

    def _turn(self):
        period_s = self._wants.get("metrics_s")
        if period_s and self._seconds >= self._metrics_s:
            self._metrics_s = self._seconds + max(period_s, _METRICS_LEAST_S)
            self._client.publish(self._prefix + "defender/metrics/json", self._metrics(), qos=1)
        if self._lines and self._seconds >= self._line_s:
            self._line_s = self._seconds + _LINE_S
            line = self._lines.pop(0)
            if self._left_out:
                line["left_out"], self._left_out = self._left_out, 0
            self._client.publish(self._topic + "log", line)

    async def _tell_crash(self):
        """Once; it is forgotten only when the cloud has it."""
        deaths = borrow("iot.deaths")
        told = deaths.last()
        if told is None:
            self._crash_told = True
        elif await self._client.publish(self._topic + "crash", told, qos=1).wait(_ACKNOWLEDGED_MS):
            self._crash_told = True
            deaths.forget()
            self._well(0)

    def _metrics(self):
        """A report of custom metrics (AWS IoT Device Defender, "Custom metrics"): numbers alone."""
        system = self._system
        numbers = {
            "heap_free": memory.heap_free(),
            "idf_largest": memory.idf_largest(),
            "rssi": (system.wifi and system.wifi.rssi()) or 0,
            "reconnects": self._reconnects,
            "dropped": sum(system.counts.values()),
            "loop_held_ms": system.held_ms,
            "connected_percent": self._connected_s * 100 // self._seconds,
            "crash_free_h": self._well(),
        }
        system.held_ms = 0
        metrics = {name: [{"number": number}] for name, number in numbers.items()}
        return {"header": {"report_id": int(time.time()), "version": "1.0"}, "custom_metrics": metrics}

    def _count_hour(self):
        if self._seconds % _HOUR_S == 0:
            self._well(self._well() + 1)

    def _well(self, hours=None):
        """Hours since the last crash; `hours` takes its place."""
        nvs = self._system.nvs
        try:
            if hours is not None:
                nvs.set_i32(_WELL, hours)
                nvs.commit()
            return nvs.get_i32(_WELL)
        except OSError:  # none yet, or flash is full
            return 0

    def _line(self, ms, level, area, text):
        """Takes a line of the log; what is too much is counted."""
        if len(self._lines) >= _LINES:
            self._left_out += 1
            return
        self._lines.append({"t": ms, "level": level, "area": area, "text": text[:_LINE_CHARS]})
