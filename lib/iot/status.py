"""All that is to be known of a device from afar."""

import esp32
import machine

from iot import x509

_RESET_CAUSES = {
    machine.PWRON_RESET: "power-on",
    machine.HARD_RESET: "restart or panic",  # the chip does not tell one from the other
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "deep sleep",
    machine.SOFT_RESET: "soft reset",
}


def of(system):
    """All that is to be known of a device from afar, without secrets."""
    link, clock, wifi = system.link, system.clock, system.wifi
    client = link.client if link else None
    return {
        "mode": system.mode,
        "version": system.settings.VERSION,
        "id": system.device_id,
        "thing": link.name if link else None,
        "uptime_s": system.log.uptime_ms() // 1000,
        "reset_cause": _RESET_CAUSES.get(machine.reset_cause(), "unknown"),
        "wifi": wifi.ssid if wifi else None,
        "ip": wifi.ip() if wifi else None,
        "rssi": wifi.rssi() if wifi else None,
        "networks": [network["ssid"] for network in wifi.networks] if wifi else [],
        "clock": clock.state if clock else None,
        "cloud": bool(client and client.connected),
        "certificate_ends": _certificate_ends(system),
        "queued": len(client.outbox) if client else 0,
        "dropped": _dropped(client) if client else 0,
        "heap_used": system.memory[0],
        "heap_free": system.memory[1],
        "idf_largest": system.memory[2],
        "slots": len(esp32.Partition.find(esp32.Partition.TYPE_APP)),
    }


def _dropped(client):
    outbox, inbox = client.outbox, client.inbox
    return outbox.refused + outbox.lost + inbox.oversize + inbox.unclaimed + inbox.overflowed()


def _certificate_ends(system):
    """When the thing's own certificate ends, None where it has none."""
    try:
        thing = system.store().thing() if system.nvs else None
        return x509.not_after(thing[1]) if thing else None
    except (OSError, ValueError) as error:
        return "unreadable: {}".format(error)
