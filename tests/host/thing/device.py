"""A device that does as a test scripts it: jobs, commands and shadows over MQTT (paho-mqtt)."""

import json
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.patience import PATIENCE_S
from tests.peers.cloud_thread import ANYTHING, CloudThread

Job = Callable[[dict[str, Any]], Iterable[dict[str, Any]]]
"""From a job's document the updates that the device sends, one after another."""


def register(cloud: CloudThread, name: str, **members: Any) -> tuple[str, str]:
    """A thing with a certificate of its own; the files of that and its key."""

    def made(it: Any) -> tuple[str, str]:
        it.registry.create_thing(thingName=name, **members)
        keys = it.registry.create_keys_and_certificate(setAsActive=True)
        policy = it.registry.ensure_policy(json.dumps(ANYTHING))
        it.registry.attach_policy(policyName=policy, target=keys["certificateArn"])
        it.registry.attach_thing_principal(thingName=name, principal=keys["certificateArn"])
        return keys["certificatePem"], keys["keyPair"]["PrivateKey"]

    return cloud.write(name, *cloud.call(made))


class Device:
    """`with Device(cloud, "lamp", …) as device:`, connected and subscribed.

    Args:
        cloud: where its thing is registered.
        name: the thing's.
        files: its certificate and key.
        jobs: by action what it does; without, jobs stay queued.
        commands: by action what it answers.
        reports: what it reports of a shadow's delta, given that; None: it ignores deltas.
    """

    def __init__(
        self,
        cloud: CloudThread,
        name: str,
        files: tuple[str, str],
        jobs: Mapping[str, Job] | None = None,
        commands: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] | None = None,
        reports: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        self._cloud, self._name = cloud, name
        self._jobs, self._commands, self._reports = jobs or {}, commands or {}, reports
        self._things = f"$aws/things/{name}"
        self._ready = threading.Event()
        context = ssl.create_default_context(cafile=str(cloud.root_ca))
        context.load_cert_chain(*files)
        self._mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._mqtt.tls_set_context(context)
        self._mqtt.on_message = self._on_message
        self._mqtt.on_subscribe = lambda *_: self._ready.set()

    def __enter__(self) -> "Device":
        self._mqtt.connect("localhost", self._cloud.port)
        topics = [
            f"{self._things}/jobs/notify-next",
            f"{self._things}/shadow/update/delta",
            f"{self._things}/shadow/name/+/update/delta",
            f"$aws/commands/things/{self._name}/executions/+/request/json",
        ]
        self._mqtt.subscribe([(topic, 1) for topic in topics])
        self._mqtt.loop_start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def publish(self, topic: str, document: dict[str, Any]) -> None:
        self.publish_raw(topic, json.dumps(document).encode())

    def publish_raw(self, topic: str, payload: bytes) -> None:
        self._mqtt.publish(topic, payload, qos=1)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        asked = json.loads(message.payload)
        if message.topic.endswith("/jobs/notify-next"):
            # Its own thread: paho sends what a callback publishes when that returns.
            threading.Thread(target=self._do, args=(asked.get("execution"),), daemon=True).start()
        elif message.topic.endswith("/update/delta") and self._reports:
            topic = message.topic.removesuffix("/delta")
            self.publish(topic, {"state": {"reported": self._reports(asked["state"])}})
        elif message.topic.endswith("/request/json") and asked["action"] in self._commands:
            topic = message.topic.removesuffix("request/json") + "response/json"
            self.publish(topic, self._commands[asked["action"]](asked))

    def _do(self, execution: dict[str, Any] | None) -> None:
        if execution is None or execution["status"] != "QUEUED":
            return
        document = execution["jobDocument"]
        if job := self._jobs.get(document.get("action")):
            for update in job(document):
                self.publish(f"{self._things}/jobs/{execution['jobId']}/update", update)
