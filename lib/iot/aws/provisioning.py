"""Fleet provisioning by claim: a new device earns a certificate of its own.

AWS IoT Core Developer Guide, "Device provisioning MQTT API".
"""

import asyncio
import json
import time

from iot.events import within

CREATE_KEYS = "$aws/certificates/create/json"  # CreateKeysAndCertificate


def register_topic(template):
    """RegisterThing's; `template` has 1 to 36 of `0-9A-Za-z_-`."""
    return "$aws/provisioning-templates/" + template + "/provision/json"


class ProvisioningError(Exception):
    """The service refused, or its answer makes no sense; the text says at which step and why."""


class Provisioning:
    """The steps of provisioning by claim over a client that is connected with the claim certificate.

    Broken off anywhere, it is simply started again: a certificate that RegisterThing left alone expires.

    Args:
        template: name of the provisioning template.
        timeout_ms: deadline for each answer.
    """

    def __init__(self, template, timeout_ms=30000):
        self._client = None
        self._template = template
        self._timeout_ms = timeout_ms
        self._changed = asyncio.Event()  # an answer, or the connection's end

    def on_client(self, event, detail):
        """What the client is to notify: its connection may end."""
        if event == "disconnected":
            self._changed.set()

    async def run(self, client, parameters):
        """Creates keys and registers the thing.

        Args:
            client: a connected MQTT client that notifies `on_client` and takes in the 6 KiB of a key.
            parameters: {name: value} of strings, as the template declares them.

        Returns:
            (thing name, certificate in PEM, private key in PEM).

        Raises:
            ProvisioningError: refused, or no answer within the deadline.
        """
        self._client = client
        keys = await self.create_keys()
        name = await self.register(_member(keys, "certificateOwnershipToken"), parameters)
        return name, _member(keys, "certificatePem"), _member(keys, "privateKey")

    async def create_keys(self):
        """CreateKeysAndCertificate: the service makes the key pair. Returns its answer as a dictionary."""
        return await self._ask(CREATE_KEYS, {})

    async def register(self, token, parameters):
        """RegisterThing: gives the certificate that `token` owns to a thing. Returns the thing's name."""
        request = {"certificateOwnershipToken": token, "parameters": parameters}
        return _member(await self._ask(register_topic(self._template), request), "thingName")

    async def _ask(self, topic, request):
        """Publishes `request` and returns the answer that comes on …/accepted."""
        accepted, rejected = [
            self._client.subscribe(answer, depth=1) for answer in (topic + "/accepted", topic + "/rejected")
        ]
        accepted.event = rejected.event = self._changed
        try:
            await self._until(lambda: accepted.granted and rejected.granted, topic, "subscription")
            self._client.publish(topic, request, qos=1)
            answer_topic, payload = await self._until(
                lambda: accepted.read() or rejected.read(), topic, "answer"
            )
        finally:
            accepted.close()
            rejected.close()
        return _parse(topic, payload, answer_topic == accepted.topic_filter)

    async def _until(self, condition, topic, what):
        """Returns `condition()` once it is true."""
        start_ms = time.ticks_ms()
        while not (result := condition()):
            if not self._client.connected:
                raise ProvisioningError("{}: connection lost: {}".format(topic, self._client.reason))
            left_ms = self._timeout_ms - time.ticks_diff(time.ticks_ms(), start_ms)
            self._changed.clear()
            if not await within(max(0, left_ms), self._changed.wait()):
                raise ProvisioningError("{}: no {} within {} s".format(topic, what, self._timeout_ms // 1000))
        return result


def _parse(topic, payload, granted):
    try:
        # MicroPython 1.25 takes a text that ends too early for a whole one.
        answer = json.loads(payload) if payload.rstrip()[-1:] == b"}" else None
    except ValueError:  # the payload may hold a private key: it is not quoted
        answer = None
    if not isinstance(answer, dict):
        raise ProvisioningError("{}: an answer that is no JSON object".format(topic))
    if not granted:
        error = [str(answer.get(member)) for member in ("statusCode", "errorCode", "errorMessage")]
        raise ProvisioningError("{}: {}".format(topic, " ".join(error)))
    return answer


def _member(answer, name):
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise ProvisioningError("an answer without {}".format(name))
    return value
