"""boto3's `iot-data` client publishes to devices, and sees what is retained."""

import ssl
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.patience import PATIENCE_S
from tests.peers import boto
from tests.peers.cloud_thread import CloudThread


@pytest.fixture
def cloud(tmp_path: Path) -> Any:
    with CloudThread(tmp_path, rest_port=0) as running:
        yield running


def subscriber(cloud: CloudThread, received: list[mqtt.MQTTMessage], came: threading.Event) -> mqtt.Client:
    certificate, key = cloud.identity("lamp")
    context = ssl.create_default_context(cafile=str(cloud.root_ca))
    context.load_cert_chain(certificate, key)
    ready = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="lamp")
    client.tls_set_context(context)

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        received.append(message)
        came.set()

    client.on_subscribe = lambda *_: ready.set()
    client.on_message = on_message
    client.connect("localhost", cloud.port)
    client.subscribe("a/#", qos=1)
    client.loop_start()
    assert ready.wait(PATIENCE_S)
    return client


def test_a_message_reaches_its_subscriber(cloud: CloudThread) -> None:
    data = boto.client("iot-data", cloud.call(lambda it: it.rest_url))
    received: list[mqtt.MQTTMessage] = []
    came = threading.Event()
    lamp = subscriber(cloud, received, came)
    try:
        for qos in (0, 1):
            came.clear()
            data.publish(topic="a/b c/ü", qos=qos, payload=b"\x00\xff")
            assert came.wait(PATIENCE_S)
        assert [(message.topic, message.payload, message.qos) for message in received] == [
            ("a/b c/ü", b"\x00\xff", 0),
            ("a/b c/ü", b"\x00\xff", 1),
        ]
    finally:
        lamp.disconnect()
        lamp.loop_stop()


def test_retained_messages(cloud: CloudThread) -> None:
    data = boto.client("iot-data", cloud.call(lambda it: it.rest_url))
    for i in range(5):
        data.publish(topic=f"r/{i}", qos=1, retain=True, payload=bytes((i,)) * i + b"x")
    kept = data.get_retained_message(topic="r/2")
    assert (kept["topic"], kept["payload"], kept["qos"]) == ("r/2", b"\x02\x02x", 1)
    assert kept["lastModifiedTime"] > 1_700_000_000_000
    listed = list(data.get_paginator("list_retained_messages").paginate(PaginationConfig={"PageSize": 2}))
    assert [[one["topic"] for one in page["retainedTopics"]] for page in listed] == [
        ["r/0", "r/1"], ["r/2", "r/3"], ["r/4"],
    ]  # fmt: skip
    assert listed[2]["retainedTopics"][0]["payloadSize"] == 5
    data.publish(topic="r/2", retain=True, payload=b"")
    with pytest.raises(data.exceptions.ResourceNotFoundException):
        data.get_retained_message(topic="r/2")


def test_what_may_not_be_published(cloud: CloudThread) -> None:
    data = boto.client("iot-data", cloud.call(lambda it: it.rest_url))
    for topic, payload in (("a/+", b""), ("$aws/events/x", b""), ("a" * 257, b""), ("a", bytes(131073))):
        with pytest.raises(data.exceptions.InvalidRequestException, match=r"topic|payload"):
            data.publish(topic=topic, payload=payload)
    told = data.publish(topic="a", payload=b"", contentType="text/plain")["ResponseMetadata"]["HTTPHeaders"]
    assert "contentType is not simulated here" in told["warning"]
