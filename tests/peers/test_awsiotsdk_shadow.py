"""The local cloud's shadows against AWS's own device SDK: its shadow client, classic and named."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from awscrt import mqtt, mqtt_request_response
from awsiot import ServiceStreamOptions, V2ServiceException, iotidentity, iotshadow

from tests.peers.cloud_thread import DEADLINE_S, CloudThread
from tests.peers.test_awsiotsdk import connect, create_keys, register

THING, NAME = "esp32-0a1b", "light"
ESTABLISHED = mqtt_request_response.SubscriptionStatusEventType.SUBSCRIPTION_ESTABLISHED


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudThread]:
    with CloudThread(tmp_path) as running:
        yield running


class Shadow:
    """AWS's client for one shadow, classic or named: the two differ in the names of its methods alone."""

    def __init__(self, connection: mqtt.Connection, name: str | None) -> None:
        options = mqtt_request_response.ClientOptions(
            max_request_response_subscriptions=6,
            max_streaming_subscriptions=4,
            operation_timeout_in_seconds=int(DEADLINE_S),
        )
        self._client = iotshadow.IotShadowClientV2(connection, options)
        self._named = "named_" if name else ""
        self._of = {"thing_name": THING} | ({"shadow_name": name} if name else {})
        self._streams: list[Any] = []

    def _call(self, operation: str, **more: Any) -> Any:
        method = getattr(self._client, f"{operation}_{self._named}shadow")
        words = f"{operation}_{self._named}shadow_request".split("_")
        request = getattr(iotshadow, "".join(word.capitalize() for word in words))
        return method(request(**self._of, **more)).result(DEADLINE_S)

    def get(self) -> iotshadow.GetShadowResponse:
        return self._call("get")

    def delete(self) -> iotshadow.DeleteShadowResponse:
        return self._call("delete")

    def update(self, version: int | None = None, **state: Any) -> iotshadow.UpdateShadowResponse:
        return self._call("update", state=iotshadow.ShadowState(**state), version=version)

    def deltas(self) -> "Queue[iotshadow.ShadowDeltaUpdatedEvent]":
        return self._listen("delta_updated", "ShadowDeltaUpdated")

    def documents(self) -> "Queue[iotshadow.ShadowUpdatedEvent]":
        return self._listen("updated", "ShadowUpdated")

    def _listen(self, stream: str, event: str) -> "Queue[Any]":
        """Its events, once AWS's client has subscribed."""
        events: Queue[Any] = Queue()
        established: Future[None] = Future()

        def status(changed: mqtt_request_response.SubscriptionStatusEvent) -> None:
            if changed.type == ESTABLISHED and not established.done():
                established.set_result(None)

        create: Callable[..., Any] = getattr(self._client, f"create_{self._named}shadow_{stream}_stream")
        request = getattr(iotshadow, f"{'Named' if self._named else ''}{event}SubscriptionRequest")
        options: ServiceStreamOptions[Any] = ServiceStreamOptions(events.put, status, events.put)
        operation = create(request(**self._of), options)
        operation.open()
        self._streams.append(operation)
        established.result(DEADLINE_S)
        return events


@pytest.mark.parametrize("name", [None, NAME])
def test_a_shadow_from_first_to_last(cloud: CloudThread, name: str | None) -> None:
    connections = [connect(cloud, client, cloud.identity(client)) for client in (THING, "app")]
    device, app = (Shadow(connection, name) for connection in connections)
    deltas, documents = device.deltas(), app.documents()

    with pytest.raises(V2ServiceException) as raised:
        device.get()
    error = raised.value.modeled_error
    assert (error.code, error.message) == (
        404,
        f"No shadow exists with name: '{THING}{'~light' if name else ''}'",
    )

    wanted = {"led": {"on": True, "level": 3}, "colors": ["RED", "GREEN"]}
    accepted = app.update(desired=wanted)
    assert accepted.state.desired == wanted and accepted.state.reported is None
    assert (accepted.version, accepted.metadata.desired["led"]["level"].keys()) == (1, {"timestamp"})
    delta = deltas.get(timeout=DEADLINE_S)
    assert (delta.state, delta.version, delta.timestamp) == (wanted, 1, accepted.timestamp)
    assert delta.metadata == accepted.metadata.desired
    first = documents.get(timeout=DEADLINE_S)
    assert first.previous is None
    assert (first.current.state.desired, first.current.version) == (wanted, 1)

    device.update(reported={"led": {"on": True, "level": 1}, "colors": ["RED", "GREEN"]})
    delta = deltas.get(timeout=DEADLINE_S)
    assert (delta.state, delta.version) == ({"led": {"level": 3}}, 2)
    got = device.get()
    assert (got.state.desired, got.state.delta, got.version) == (wanted, {"led": {"level": 3}}, 2)
    second = documents.get(timeout=DEADLINE_S)
    assert (second.previous.version, second.previous.state.reported) == (1, None)
    assert second.current.state.reported["led"]["level"] == 1

    with pytest.raises(V2ServiceException) as raised:
        app.update(version=1, desired={"led": {"level": 9}})
    assert (raised.value.modeled_error.code, raised.value.modeled_error.message) == (409, "Version conflict")

    accepted = device.update(
        version=2, reported={"led": {"level": 3}}, desired=None, desired_is_nullable=True
    )
    assert accepted.version == 3
    got = app.get()
    assert (got.state.desired, got.state.delta) == (None, None)
    assert got.state.reported == wanted
    assert deltas.empty(), "nothing differs any more"

    assert app.delete().version == 3
    with pytest.raises(V2ServiceException) as raised:
        app.delete()
    assert raised.value.modeled_error.code == 404
    assert app.update(reported={}).version == 4, "the version goes on"
    for connection in connections:
        connection.disconnect().result(DEADLINE_S)


def test_the_shadow_of_a_provisioned_thing(cloud: CloudThread) -> None:
    """The policy that a device gets by its claim is enough for AWS's shadow client."""
    aws = cloud.call(lambda it: it.device_configuration([]))["aws"]
    claim = connect(cloud, "claim-1", cloud.write("claim", aws["claim_certificate"], aws["claim_key"]))
    identity = iotidentity.IotIdentityClient(claim)
    keys = create_keys(identity)
    made = register(identity, aws["template"], keys.certificate_ownership_token, {"SerialNumber": THING})
    claim.disconnect().result(DEADLINE_S)
    connection = connect(cloud, made.thing_name, cloud.write("thing", keys.certificate_pem, keys.private_key))
    for name in (None, NAME):
        shadow = Shadow(connection, name)
        deltas = shadow.deltas()
        assert shadow.update(reported={"on": False}, desired={"on": True}).version == 1
        assert deltas.get(timeout=DEADLINE_S).state == {"on": True}
        assert shadow.get().state.delta == {"on": True}
        assert shadow.delete().version == 1
    connection.disconnect().result(DEADLINE_S)
