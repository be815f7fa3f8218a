"""What the frozen umqtt.simple takes for the same: from its import to the PUBACK. Runs on the board."""

import gc
import json
import time

import esp32

_WIFI_MS = 60_000
_PAYLOAD = b'{"temperature": 21.5, "humidity": 48.0, "uptime": 123456, "rssi": -61}'


def run(wifi, host, port, topic, root_ca, certificate, key, count, ntp=None):
    """Connect, publish, measure, and print the figures as JSON.

    root_ca, certificate, key: PEM. count: messages for a rate; 0: that is all. ntp: None for a public one.
    """
    start_ms = time.ticks_ms()
    reached = {}

    def mark(name):
        reached[name] = time.ticks_diff(time.ticks_ms(), start_ms)

    import ssl

    import network
    import ntptime
    from umqtt.simple import MQTTClient

    mark("imported_ms")
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    wlan.connect(*wifi)
    while not wlan.isconnected():
        if time.ticks_diff(time.ticks_ms(), start_ms) > _WIFI_MS:
            raise OSError("no Wi-Fi")
        time.sleep_ms(10)
    mark("wifi_ms")
    ntptime.host = ntp or ntptime.host
    try:
        ntptime.settime()
        reached["clock"] = "sntp"
    except OSError:  # the clock was set beforehand
        reached["clock"] = "estimate"
    mark("clock_ms")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=root_ca)
    context.load_cert_chain(certificate, key)
    client = MQTTClient(b"simple", host, port, ssl=context)
    client.connect()
    mark("connected_ms")
    client.publish(topic, _PAYLOAD, qos=1)
    mark("puback_ms")
    print("simple: acknowledged")
    if not count:
        return
    gc.collect()
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    largest = max([region[2] for region in regions])
    memory = {
        "heap_free": gc.mem_free() - largest,  # which it counts, too
        "idf_largest": largest,
        "idf_lowest": sum([region[3] for region in regions]),
    }
    rates = {"QoS 0": _rate(client, topic, 0, count), "QoS 1": _rate(client, topic, 1, count)}
    client.disconnect()
    wlan.active(False)
    print("simple: figures " + json.dumps({"start": reached, "memory": memory, "rates": rates}))


def _rate(client, topic, qos, count):
    """Messages of `qos` a second, until the last, which is of QoS 1, is acknowledged."""
    start_ms = time.ticks_ms()
    for number in range(count):
        client.publish(topic, _PAYLOAD, qos=1 if number == count - 1 else qos)
    return count * 1000 / time.ticks_diff(time.ticks_ms(), start_ms)
