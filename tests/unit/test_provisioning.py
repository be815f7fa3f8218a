"""Provisioning by claim, against a scripted service."""

import asyncio
import json

from check import araises
from documents import CLAIM, OWN, OWN_KEY
from iot.aws.provisioning import NotAllowed, Provisioning, ProvisioningError, parameters
from iot.crypto import pem

CREATE = "$aws/certificates/create/json"
CSR = "$aws/certificates/create-from-csr/json"
REGISTER = "$aws/provisioning-templates/Fleet/provision/json"
KEYS = {
    "certificateId": "1f",
    "certificatePem": "CERT",
    "privateKey": "SECRET-KEY",
    "certificateOwnershipToken": "T0",
}


OWN_PAIR = (pem.key(OWN_KEY), "REQUEST")
MADE = {"certificateId": "1f", "certificatePem": OWN, "certificateOwnershipToken": "T0"}
NEEDS = "; the policy is to allow iot:Publish, iot:Receive and iot:Subscribe for it and what is below it"


class FakeSubscription:
    def __init__(self, topic_filter, granted):
        self.topic_filter = topic_filter
        self.granted = granted
        self.messages = []
        self.closed = False
        self.event = asyncio.Event()

    def read(self):
        return self.messages.pop(0) if self.messages else None

    def close(self):
        self.closed = True


class FakeService:
    """A client whose broker answers from a script: {topic: (granted, payload)}, or hangs up on a topic."""

    def __init__(self, script, granted=True, hangs_up_on=None):
        self.connected = True
        self.reason = "the broker is gone"
        self.script = script
        self.published = []
        self.late = False
        self.notify = self.task = None
        self.subscriptions = {}
        self._granted = granted
        self._hangs_up_on = hangs_up_on

    def subscribe(self, topic_filter, qos=1, depth=8):
        self.subscriptions[topic_filter] = FakeSubscription(topic_filter, self._granted)
        return self.subscriptions[topic_filter]

    def publish(self, topic, payload, qos=0, retain=False):
        self.published.append((topic, payload))
        self.connected = topic != self._hangs_up_on or self.late
        if topic in self.script:
            granted, answer = self.script[topic]
            answer_topic = topic + ("/accepted" if granted else "/rejected")
            payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.task = asyncio.create_task(self._come(self.subscriptions[answer_topic], payload))
        elif topic == self._hangs_up_on:
            self.task = asyncio.create_task(self._end())

    async def _come(self, subscription, payload):
        if self.late:  # beside what is waited for something else happens
            subscription.event.set()
            await asyncio.sleep_ms(20)
        subscription.messages.append((subscription.topic_filter, payload))
        subscription.event.set()

    async def _end(self):
        self.connected = False
        self.notify("disconnected", self.reason)


def run(service, timeout_ms=10000, own=None):
    provisioning = Provisioning("Fleet", timeout_ms)
    service.notify = provisioning.on_client
    return provisioning.run(service, {"SerialNumber": "7"}, own)


async def test_a_certificate_is_earned():
    service = FakeService(
        {CREATE: (True, KEYS), REGISTER: (True, {"thingName": "lamp-7", "deviceConfiguration": {}})}
    )
    assert await run(service) == ("lamp-7", "CERT", "SECRET-KEY")
    assert service.published == [
        (CREATE, {}),
        (REGISTER, {"certificateOwnershipToken": "T0", "parameters": {"SerialNumber": "7"}}),
    ]
    assert sorted(service.subscriptions) == [
        CREATE + "/accepted",
        CREATE + "/rejected",
        REGISTER + "/accepted",
        REGISTER + "/rejected",
    ]
    assert all(subscription.closed for subscription in service.subscriptions.values())


async def test_each_step_may_be_refused():
    refusal = {"statusCode": 400, "errorCode": "InvalidCertificateOwnershipToken", "errorMessage": "expired"}
    for script, topic in (
        ({CREATE: (False, refusal)}, CREATE),
        ({CREATE: (True, KEYS), REGISTER: (False, refusal)}, REGISTER),
    ):
        service = FakeService(script)
        await araises(
            ProvisioningError, topic + ": 400 InvalidCertificateOwnershipToken expired", run(service)
        )
        assert all(subscription.closed for subscription in service.subscriptions.values())


async def test_each_step_has_a_deadline():
    for script, topic in (({}, CREATE), ({CREATE: (True, KEYS)}, REGISTER)):
        await araises(ProvisioningError, topic + ": no answer within 0 s", run(FakeService(script), 60))
    await araises(ProvisioningError, "no subscription within 0 s", run(FakeService({}, granted=False), 60))


async def test_a_connection_that_ends_is_not_waited_for():
    for script, topic in (({}, CREATE), ({CREATE: (True, KEYS)}, REGISTER)):
        service = FakeService(script, hangs_up_on=topic)
        await araises(ProvisioningError, topic + ": connection lost: the broker is gone", run(service, 60000))


async def test_what_comes_while_it_waits_is_not_waited_for_any_longer():
    """An answer, and the connection's end; what else happens meanwhile changes nothing."""
    answers = {CREATE: (True, KEYS), REGISTER: (True, {"thingName": "lamp-7"})}
    service = FakeService(answers)
    service.late = True
    assert (await run(service, 60000))[0] == "lamp-7"
    service = FakeService({}, hangs_up_on=CREATE)
    service.late = True
    await araises(ProvisioningError, "connection lost: the broker is gone", run(service, 60000))


async def test_it_can_be_cancelled_while_it_waits():
    service = FakeService({})
    task = asyncio.create_task(run(service, 60000))
    while not service.published:
        await asyncio.sleep_ms(1)
    task.cancel()
    await araises(asyncio.CancelledError, "", task)
    assert all(subscription.closed for subscription in service.subscriptions.values())


async def test_answers_that_make_no_sense_are_not_quoted():
    for script, text in (
        ({CREATE: (True, b'{"privateKey": "SECRET-KEY')}, "an answer that is no JSON object"),
        ({CREATE: (True, b"[]")}, "an answer that is no JSON object"),
        ({CREATE: (True, b"{SECRET-KEY}")}, "an answer that is no JSON object"),
        ({CREATE: (True, {"privateKey": "SECRET-KEY"})}, "an answer without certificateOwnershipToken"),
        ({CREATE: (True, KEYS), REGISTER: (True, {"thingName": ""})}, "an answer without thingName"),
        ({CREATE: (True, KEYS), REGISTER: (True, {"thingName": 7})}, "an answer without thingName"),
        ({CREATE: (False, {})}, "None None None"),
    ):
        try:
            await run(FakeService(script))
            raise AssertionError("accepted")
        except ProvisioningError as error:
            assert text in str(error) and "SECRET" not in str(error), str(error)


async def test_a_certificate_for_a_key_of_the_device_s_own():
    service = FakeService({CSR: (True, MADE), REGISTER: (True, {"thingName": "lamp-7"})})
    assert await run(service, own=OWN_PAIR) == ("lamp-7", OWN, OWN_PAIR[0])
    assert service.published == [
        (CSR, {"certificateSigningRequest": "REQUEST"}),
        (REGISTER, {"certificateOwnershipToken": "T0", "parameters": {"SerialNumber": "7"}}),
    ]
    assert all(subscription.closed for subscription in service.subscriptions.values())


async def test_a_certificate_for_another_key_is_not_registered():
    for certificate, text in (
        (CLAIM, "the certificate that came: not the key of the certificate"),
        ("CERT", "the certificate that came: no certificate, but no PEM block"),
    ):
        made = dict(MADE)
        made["certificatePem"] = certificate
        service = FakeService({CSR: (True, made), REGISTER: (True, {"thingName": "lamp-7"})})
        await araises(ProvisioningError, text, run(service, own=OWN_PAIR))
        assert [topic for topic, _ in service.published] == [CSR]


async def test_what_the_policy_lacks_is_told_where_the_broker_hangs_up():
    for topic, script, more in (
        (CSR, {}, ', or aws.keys to be "service"'),
        (REGISTER, {CSR: (True, MADE)}, ""),
    ):
        service = FakeService(script, hangs_up_on=topic)
        service.reason = "closed by the broker"
        error = await araises(NotAllowed, topic, run(service, 60000, OWN_PAIR))
        assert str(error) == topic + ": connection lost: closed by the broker" + NEEDS + more
        service = FakeService(script, hangs_up_on=topic)
        service.reason = "no PINGRESP within 10 s"  # the network is gone: no word of the policy
        error = await araises(ProvisioningError, topic, run(service, 60000, OWN_PAIR))
        assert not isinstance(error, NotAllowed) and str(error).endswith("10 s")


async def test_a_subscription_that_is_not_granted_may_be_the_policy_s_too():
    service = FakeService({}, granted=False)
    error = await araises(
        NotAllowed, CSR + ": no subscription within 0 s" + NEEDS, run(service, 60, OWN_PAIR)
    )
    assert not service.published and "service" in str(error)
    error = await araises(ProvisioningError, "no answer within 0 s", run(FakeService({}), 60, OWN_PAIR))
    assert not isinstance(error, NotAllowed)


async def test_a_request_that_is_refused_is_told():
    refusal = {"statusCode": 400, "errorCode": "InvalidCertificateSigningRequest", "errorMessage": "no"}
    service = FakeService({CSR: (False, refusal)})
    text = CSR + ": 400 InvalidCertificateSigningRequest no"
    error = await araises(ProvisioningError, text, run(service, own=OWN_PAIR))
    assert not isinstance(error, NotAllowed)


def test_the_template_gets_the_serial_number_or_what_is_configured():
    assert parameters({"parameters": {}}, "lamp-7") == {"SerialNumber": "lamp-7"}
    configured = {"Name": "x-{id}-{id}", "Place": "kitchen"}
    expected = {"Name": "x-lamp-7-lamp-7", "Place": "kitchen"}
    assert parameters({"parameters": configured}, "lamp-7") == expected
