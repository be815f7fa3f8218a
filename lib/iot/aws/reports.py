"""What a fleet needs to know of a device beside its telemetry: last crash, version, how it fares.

REPORTS in firmware/settings.py switches each on; where that is empty nothing of this is in memory.
"""

import asyncio
import time

from micropython import const

from iot import memory
from iot.memory import borrow

_TURN_MS = const(1000)
_METRICS_LEAST_S = const(300)  # AWS IoT Device Defender throttles what comes more often
_HOUR_S = const(3600)
_ACKNOWLEDGED_MS = const(30000)
_WELL = const("well_h")  # in NVS: hours since the last crash


class Reports:
    """Tells what `wants` has, while there is a connection.

    Args:
        wants: {"crash": True, "metrics_s": 300 or more, "package": a software package's name}, each of which
            may be missing; its "log" is iot.aws.log_lines'.
        name: the thing's name.
        client: its MQTT Client.
        system: what is told of.
    """

    def __init__(self, wants, name, client, system):
        self._wants = wants
        self._client = client
        self._system = system
        self._topic = "telemetry/" + name + "/crash"
        self._prefix = "$aws/things/" + name + "/"
        self._seconds = self._connected_s = self._metrics_s = 0
        self._reconnects = -1
        self._crash_told = not wants.get("crash")

    async def run(self):
        """For as long as the mode lasts."""
        was_connected = False
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

    async def _tell_crash(self):
        """Once; it is forgotten only when the cloud has it."""
        deaths = borrow("iot.deaths")
        told = deaths.last()
        if told is None:
            self._crash_told = True
        elif await self._client.publish(self._topic, told, qos=1).wait(_ACKNOWLEDGED_MS):
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
