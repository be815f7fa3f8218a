"""`thing NAME logs`: lines that a device sends, in the form of its console."""

import threading

import pytest

from tests.host.thing.conftest import Thing
from tests.host.thing.device import Device, register
from tests.peers.cloud_thread import CloudThread

LINES = [
    {"t": 12345, "level": "I", "area": "wifi", "text": "connected to \x1b[31m"},
    {"t": 12346, "level": "error", "area": "app", "text": "no sensor", "left_out": 3},
]


@pytest.mark.parametrize("topic", [None, "cmd/NAME/log"])
def test_the_lines(cloud: CloudThread, thing: Thing, topic: str | None) -> None:
    name = "logs" if topic is None else "logs2"
    over = threading.Event()
    with Device(cloud, name, register(cloud, name)) as device:

        def send() -> None:
            """Again and again, as nobody tells when the verb has subscribed."""
            while not over.wait(0.05):
                for line in LINES:
                    device.publish(f"{'telemetry' if topic is None else 'cmd'}/{name}/log", line)

        sender = threading.Thread(target=send)
        sender.start()
        more = () if topic is None else ("--topic", topic)
        try:
            shown = thing(name, "logs", "--count", "3", *more)
            objects = thing(name, "logs", "--count", "2", "--json", *more).objects
        finally:
            over.set()
            sender.join()
    assert shown.status == 0
    assert set(shown.out.splitlines()) == {
        "    12.345 I wifi: connected to \\x1b[31m",
        "    12.346 E app: no sensor (3 left out)",
    }
    assert all(it in LINES for it in objects) and len(objects) == 2


def test_what_is_no_object(cloud: CloudThread, thing: Thing) -> None:
    over = threading.Event()
    with Device(cloud, "plain", register(cloud, "plain")) as device:

        def send() -> None:
            while not over.wait(0.05):
                device.publish_raw("telemetry/plain/log", b'hello \x1b\xff\n{"a": 1}')

        sender = threading.Thread(target=send)
        sender.start()
        try:
            shown = thing("plain", "logs", "--count", "1")
        finally:
            over.set()
            sender.join()
    assert shown.out == 'hello \\x1b\\xff\n{"a": 1}\n'


def test_no_line_in_time(cloud: CloudThread, thing: Thing) -> None:
    register(cloud, "quiet")
    assert thing("quiet", "logs", "--seconds", "0.2").status == 0
    done = thing("quiet", "logs", "--seconds", "0.2", "--count", "1", "--json")
    assert done.status == 1 and "0 of 1" in done.failure["text"]
