"""The command `status`: all that is to be known of a device from afar, without secrets.

It comes in pieces, and what it tells of memory is as it was before the command.
"""

import io
import json
import os

import esp32
import machine
import micropython

# By machine.reset_cause(). The chip does not tell a panic from machine.reset().
_RESET_CAUSES = ("unknown", "power-on", "restart or panic", "watchdog", "deep sleep", "soft reset")


def answer(system, only=()):
    """The pieces of a JSON object with the members of that name, or all."""
    return _pieces(system, only, _heap_piece())  # which prints something


def _pieces(system, only, heap_piece):
    before = "{"
    for name, value in _members(system, heap_piece):
        if not only or name in only:
            yield before + json.dumps(name) + ": "
            yield json.dumps(value)
            before = ", "
    yield "}"


def _members(system, heap_piece):
    link, wifi = system.link, system.wifi
    yield "mode", system.mode
    yield "version", system.settings.VERSION
    yield "id", system.device_id
    yield "thing", link.name if link else None
    yield "uptime_s", system.log.uptime_ms() // 1000
    yield "reset_cause", _RESET_CAUSES[machine.reset_cause()]
    yield "wifi", wifi.ssid if wifi else None
    yield "ip", wifi.ip() if wifi else None
    yield "rssi", wifi.rssi() if wifi else None
    yield "networks", [network["ssid"] for network in wifi.networks] if wifi else []
    yield "clock", system.clock.state if system.clock else None
    yield "cloud", bool(link and link.client.connected)
    yield "unreached", system.unreached
    yield "certificate_ends", link.certificate_ends if link else None
    yield "queued", len(link.client.outbox) if link else 0
    yield "dropped", _dropped(link.client) if link else 0
    used, free = system.memory
    yield "heap_total", used + free
    yield "heap_used", used
    yield "heap_free", free
    yield "heap_piece", heap_piece
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    yield "idf_free", sum([region[1] for region in regions])
    yield "idf_largest", max([region[2] for region in regions])
    yield "idf_lowest", sum([region[3] for region in regions])
    yield "starved", system.starved
    yield "starved_reason", system.starved_reason
    yield "slots", len(esp32.Partition.find(esp32.Partition.TYPE_APP))


def _dropped(client):
    outbox, inbox = client.outbox, client.inbox
    overflowed = sum([subscription.dropped for subscription in inbox.subscriptions])
    if inbox.rest:
        overflowed += inbox.rest.dropped
    return outbox.refused + outbox.lost + inbox.oversize + inbox.unclaimed + overflowed


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
