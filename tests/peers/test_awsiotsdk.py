"""The local cloud against AWS's own device SDK: MQTT, and provisioning up to a thing's first message."""

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from awscrt import mqtt
from awsiot import iotidentity, mqtt_connection_builder

from tests.peers.cloud_thread import DEADLINE_S, CloudThread
from tools.cloud.ca import CHAINS, ServerChain

QOS_1 = mqtt.QoS.AT_LEAST_ONCE


@pytest.fixture
def server_chain() -> ServerChain:
    """What the cloud's server shows, unless a test's parameter of this name says otherwise."""
    return "p256"


@pytest.fixture
def cloud(tmp_path: Path, server_chain: ServerChain) -> Iterator[CloudThread]:
    with CloudThread(tmp_path, server_chain=server_chain) as running:
        yield running


def connect(cloud: CloudThread, client_id: str, identity: tuple[str, str], **options: Any) -> mqtt.Connection:
    connection = mqtt_connection_builder.mtls_from_path(
        *identity,
        endpoint="localhost",
        port=cloud.port,
        ca_filepath=str(cloud.root_ca),
        client_id=client_id,
        **options,
    )
    connection.connect().result(DEADLINE_S)
    return connection


class Once:
    """A callback that keeps its first value."""

    def __init__(self) -> None:
        self._future: Future[Any] = Future()

    def __call__(self, *values: Any, **named: Any) -> None:
        if not self._future.done():
            self._future.set_result((values, named))

    def result(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self._future.result(DEADLINE_S)


def test_publish_and_subscribe(cloud: CloudThread) -> None:
    connection = connect(cloud, "sdk", cloud.identity("sdk"), clean_session=True, keep_alive_secs=30)
    got = Once()
    subscribed, _ = connection.subscribe("a/+", QOS_1, callback=got)
    assert subscribed.result(DEADLINE_S)["qos"] == QOS_1
    connection.publish("a/b", b"hello", QOS_1)[0].result(DEADLINE_S)
    _, message = got.result()
    assert (message["topic"], message["payload"]) == ("a/b", b"hello")
    connection.disconnect().result(DEADLINE_S)


def test_will_and_persistent_session(cloud: CloudThread) -> None:
    identity = cloud.identity("sdk")
    away = connect(cloud, "away", identity, clean_session=False)
    away.subscribe("wills", QOS_1)[0].result(DEADLINE_S)
    away.disconnect().result(DEADLINE_S)
    will = mqtt.Will("wills", QOS_1, b"gone", False)
    # The newest connection with a client id wins: the one before is closed, and its will is sent. It is held
    # until then, because the SDK disconnects politely when its object is let go.
    lost = connect(cloud, "lost", identity, will=will, clean_session=True)
    connect(cloud, "lost", cloud.identity("other"), clean_session=True).disconnect().result(DEADLINE_S)
    del lost
    got = Once()
    back = mqtt_connection_builder.mtls_from_path(
        *identity,
        endpoint="localhost",
        port=cloud.port,
        ca_filepath=str(cloud.root_ca),
        client_id="away",
        clean_session=False,
    )
    back.on_message(got)
    assert back.connect().result(DEADLINE_S)["session_present"]
    assert got.result()[1]["payload"] == b"gone"
    back.disconnect().result(DEADLINE_S)


def ask(
    subscribe: Callable[..., Any],
    publish: Callable[..., Any],
    request: Any,
    accepted: str,
    rejected: str,
    topic: Any,
) -> Any:
    """Subscribe to both answers, ask, and return the one that comes."""
    answer = Once()
    for name in (accepted, rejected):
        subscribed, _ = getattr(subscribe, name)(topic, QOS_1, answer)
        subscribed.result(DEADLINE_S)
    publish(request, QOS_1).result(DEADLINE_S)
    return answer.result()[0][0]


def create_keys(client: iotidentity.IotIdentityClient) -> iotidentity.CreateKeysAndCertificateResponse:
    return ask(
        client,
        client.publish_create_keys_and_certificate,
        iotidentity.CreateKeysAndCertificateRequest(),
        "subscribe_to_create_keys_and_certificate_accepted",
        "subscribe_to_create_keys_and_certificate_rejected",
        iotidentity.CreateKeysAndCertificateSubscriptionRequest(),
    )


def register(
    client: iotidentity.IotIdentityClient, template: str, token: str, parameters: dict[str, str]
) -> iotidentity.RegisterThingResponse | iotidentity.ErrorResponse:
    return ask(
        client,
        client.publish_register_thing,
        iotidentity.RegisterThingRequest(
            template_name=template, certificate_ownership_token=token, parameters=parameters
        ),
        "subscribe_to_register_thing_accepted",
        "subscribe_to_register_thing_rejected",
        iotidentity.RegisterThingSubscriptionRequest(template_name=template),
    )


@pytest.mark.parametrize("server_chain", CHAINS)
def test_fleet_provisioning(cloud: CloudThread) -> None:
    aws = cloud.call(lambda it: it.device_configuration([{"ssid": "home", "password": "secret 123"}]))["aws"]
    claim = connect(
        cloud, f"claim-{uuid.uuid4()}", cloud.write("claim", aws["claim_certificate"], aws["claim_key"])
    )
    identity = iotidentity.IotIdentityClient(claim)
    keys = create_keys(identity)
    parameters = {"SerialNumber": "esp32-0b1c"}
    refused = register(identity, aws["template"], "no token of ours", parameters)
    assert isinstance(refused, iotidentity.ErrorResponse)
    assert (refused.status_code, refused.error_code) == (400, "InvalidCertificateOwnershipToken")
    assert refused.error_message
    made = register(identity, aws["template"], keys.certificate_ownership_token, parameters)
    assert isinstance(made, iotidentity.RegisterThingResponse)
    name = parameters["SerialNumber"]
    assert made.thing_name == name
    claim.disconnect().result(DEADLINE_S)

    got = Once()
    watcher = connect(cloud, "watcher", cloud.identity("watcher"))
    watcher.subscribe("telemetry/#", QOS_1, callback=got)[0].result(DEADLINE_S)
    thing = connect(cloud, name, cloud.write("thing", keys.certificate_pem, keys.private_key))
    thing.publish(f"telemetry/{name}", json.dumps({"temperature": 21.5}), QOS_1)[0].result(DEADLINE_S)
    _, message = got.result()
    assert (message["topic"], json.loads(message["payload"])) == (f"telemetry/{name}", {"temperature": 21.5})
    for connection in (thing, watcher):
        connection.disconnect().result(DEADLINE_S)
    kinds = [event.client_id for event in cloud.events if event.kind == "provisioned"]
    assert len(kinds) == 1
