"""The command `status`: all that is to be known of a device from afar, without secrets.

It comes in pieces, and what it tells of memory is as it was before the command.
"""

import io
import json
import os

import esp32
import machine
import micropython
from micropython import const

# In one constant: a name that stands in code alone would stay in memory for ever.
_NAMES = const((
    "mode", "version", "id", "thing", "uptime_s", "reset_cause", "wifi", "ip", "rssi", "networks", "clock",
    "cloud", "unreached", "certificate_ends", "queued", "dropped", "heap_total", "heap_used", "heap_free",
    "heap_piece", "idf_free", "idf_largest", "idf_lowest", "starved", "starved_reason", "slots",
))  # fmt: skip
_WIFI = const(("wifi", "ip", "rssi", "networks"))
# By machine.reset_cause(). The chip does not tell a panic from machine.reset().
_RESET_CAUSES = const(("unknown", "power-on", "restart or panic", "watchdog", "deep sleep", "soft reset"))


def answer(system, command="status"):
    """The pieces of a JSON object with all there is; for the command `wifi` with a part of it."""
    return _pieces(system, _WIFI if command == "wifi" else _NAMES, _heap_piece())  # which prints something


def _pieces(system, wanted, heap_piece):
    before = "{"
    values = _values(system, heap_piece)
    for name in _NAMES:
        value = next(values)
        if name in wanted:
            yield before + json.dumps(name) + ": "
            yield json.dumps(value)
            before = ", "
    yield "}"


def _values(system, heap_piece):
    cloud, wifi = system.cloud, system.wifi
    yield system.mode
    yield system.settings.VERSION
    yield system.device_id
    yield cloud.name if cloud else None
    yield system.log.uptime_ms() // 1000
    yield _RESET_CAUSES[machine.reset_cause()]
    yield wifi.ssid if wifi else None
    yield wifi.ip() if wifi else None
    yield wifi.rssi() if wifi else None
    yield [network["ssid"] for network in wifi.networks] if wifi else []
    yield system.clock.state if system.clock else None
    yield bool(cloud and cloud.client.connected)
    yield system.unreached
    yield cloud.certificate_ends if cloud else None
    yield len(cloud.client.outbox) if cloud else 0
    yield sum(system.counts.values())
    used, free = system.memory
    yield used + free
    yield used
    yield free
    yield heap_piece
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    yield sum([region[1] for region in regions])
    yield max([region[2] for region in regions])
    yield sum([region[3] for region in regions])
    yield system.starved
    yield system.starved_reason
    yield len(esp32.Partition.find(esp32.Partition.TYPE_APP))


def _heap_piece():
    """Bytes of the largest free piece of the heap. MicroPython only prints it, on the console as well."""
    printed = io.BytesIO(200)
    before = os.dupterm(printed)
    try:
        micropython.mem_info()
    finally:
        os.dupterm(before)
    text = printed.getvalue()
    return int(text[text.rfind(b" ") :]) * 16  # it is told last, in blocks
