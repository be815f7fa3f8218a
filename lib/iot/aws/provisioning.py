"""Fleet provisioning by claim: a new device earns a certificate of its own.

AWS IoT Core Developer Guide, "Device provisioning MQTT API".
"""

import asyncio
import json
import time

from micropython import const

from iot.events import within
from iot.memory import borrow

CREATE_KEYS = "$aws/certificates/create/json"  # CreateKeysAndCertificate
CREATE_FROM_CSR = "$aws/certificates/create-from-csr/json"  # CreateCertificateFromCsr
_NEEDS = const(
    "; the policy is to allow iot:Publish, iot:Receive and iot:Subscribe for it and what is below it"
)
# AWS's example of a claim's policy has create/* alone.
_OR_KEYS = const(', or aws.keys to be "service"')


def register_topic(template):
    """RegisterThing's; `template` has 1 to 36 of `0-9A-Za-z_-`."""
    return "$aws/provisioning-templates/" + template + "/provision/json"


class ProvisioningError(Exception):
    """The service refused, or its answer makes no sense; the text says at which step and why."""


class NotAllowed(ProvisioningError):
    """The broker has hung up, or not granted a subscription, as it does where a policy lacks the topic."""


class Provisioning:
    """The steps of provisioning over a client that is connected with the claim's certificate, or the thing's.

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

    async def run(self, client, parameters, own=None):
        """Has a certificate made and registers the thing.

        Args:
            client: a connected MQTT client that notifies `on_client` and takes in the 3 KiB of a certificate
                with its token, or the 6 KiB of a key, too.
            parameters: {name: value} of strings, as the template declares them.
            own: the device's own key in DER and the request for its certificate in PEM (iot.crypto.csr);
                None: the service makes the key pair.

        Returns:
            (thing name, certificate in PEM, private key: the own one, or the service's in PEM).

        Raises:
            NotAllowed: the policy lacks a topic, as it seems.
            ProvisioningError: refused, or no answer within the deadline.
        """
        self._client = client
        if own:
            key = own[0]
            made = await self.create_from_csr(own[1])
            _check(_member(made, "certificatePem"), key)
        else:
            made = await self.create_keys()
            key = _member(made, "privateKey")
        name = await self.register(_member(made, "certificateOwnershipToken"), parameters)
        return name, _member(made, "certificatePem"), key

    async def create_keys(self):
        """CreateKeysAndCertificate: the service makes the key pair. Returns its answer as a dictionary."""
        return await self._ask(CREATE_KEYS, {})

    async def create_from_csr(self, request):
        """CreateCertificateFromCsr for a request in PEM. Returns the answer as a dictionary."""
        return await self._ask(CREATE_FROM_CSR, {"certificateSigningRequest": request})

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
                text = "{}: connection lost: {}".format(topic, self._client.reason)
                raise _lacking(topic, text) if " by the broker" in text else ProvisioningError(text)
            left_ms = self._timeout_ms - time.ticks_diff(time.ticks_ms(), start_ms)
            self._changed.clear()
            if not await within(max(0, left_ms), self._changed.wait()):
                text = "{}: no {} within {} s".format(topic, what, self._timeout_ms // 1000)
                raise ProvisioningError(text) if what == "answer" else _lacking(topic, text)
        return result


def parameters(aws, device_id):
    """The template's parameters: those in the section `aws` of the configuration, or the serial number alone.

    "{id}" stands for the device's id there.
    """
    configured = aws["parameters"] or {"SerialNumber": "{id}"}
    return {name: value.replace("{id}", device_id) for name, value in configured.items()}


def _lacking(topic, text):
    return NotAllowed(text + _NEEDS + (_OR_KEYS if topic == CREATE_FROM_CSR else ""))


def _check(certificate, key):
    """ProvisioningError where a certificate is another key's, or one that the chip cannot load."""
    loadable = borrow("iot.crypto.loadable")
    try:
        loadable.check_key(key, loadable.public(borrow("iot.crypto.pem").certificate(certificate)))
    except ValueError as error:
        raise ProvisioningError("the certificate that came: {}".format(error))


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
