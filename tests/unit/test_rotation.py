"""A new certificate beside the old one: when it is due, how it is asked for, and what becomes of it."""

import asyncio
import binascii
import hashlib
import json

from check import araises
from fakes import FakeLog
from iot.aws import rotation
from iot.crypto import der, p256, pem
from iot.events import Events

CSR = "$aws/certificates/create-from-csr/json"
REGISTER = "$aws/provisioning-templates/Fleet/provision/json"
ENDPOINT = "broker.example.com"
DAY_S = 86400
LEFT = (
    ("2026-11-28T16:00:00Z", 0),
    ("2026-11-29T00:00:00Z", 1),
    ("2026-12-28T00:00:00Z", 30),
    ("2027-03-01T00:00:00Z", 93),
    ("2028-03-01T00:00:00Z", 459),
    ("2049-12-31T23:59:59Z", 8434),
    ("9999-12-31T23:59:59Z", 2912111),
    ("2026-11-27T00:00:00Z", -1),
)


class Clock:
    """The 28th of November 2026, at 16:55."""

    def __enter__(self):
        self._real = rotation.time
        rotation.time = self
        return self

    def __exit__(self, *error):
        rotation.time = self._real

    def gmtime(self):
        return 2026, 11, 28, 16, 55, 0, 5, 332


class FakeStore:
    def __init__(self):
        self.state = None
        self.on_trial = False
        self.saved = []
        self.settled = []
        self.own = ("lamp-7", b"old", b"old key")

    def renewal(self, state=None):
        self.state = state or self.state
        return self.state

    def thing(self):
        return self.own

    def save_thing(self, endpoint, name, certificate, key, on_trial=False):
        self.saved.append((endpoint, name, certificate, key))
        self.on_trial = on_trial
        self.own = name, pem.certificate(certificate), key

    def settle(self, is_kept):
        self.settled.append(is_kept)
        self.on_trial = False


class FakeSubscription:
    def __init__(self, topic_filter):
        self.topic_filter = topic_filter
        self.granted = True
        self.messages = []
        self.event = asyncio.Event()

    def read(self):
        return self.messages.pop(0) if self.messages else None

    def close(self):
        pass


class FakeClient:
    """A client with a service behind it that makes certificates, or hangs up on `hangs_up_on`."""

    def __init__(self, name="lamp-7", hangs_up_on=None, reason="closed by the broker"):
        self.connected = True
        self.reason = reason
        self.name = name
        self.hangs_up_on = hangs_up_on
        self.published = []
        self.subscriptions = {}
        self.emit = None

    def subscribe(self, topic_filter, qos=1, depth=8):
        self.subscriptions[topic_filter] = FakeSubscription(topic_filter)
        return self.subscriptions[topic_filter]

    def publish(self, topic, payload, qos=0, retain=False):
        self.published.append((topic, payload))
        if topic == self.hangs_up_on:
            self.connected = False
            self.emit("cloud_down", self.reason)
            return
        answer = {"thingName": self.name, "deviceConfiguration": {}}
        if topic == CSR:
            made = certificate_for(payload["certificateSigningRequest"])
            answer = {"certificatePem": made, "certificateOwnershipToken": "T0", "certificateId": "1f"}
        subscription = self.subscriptions[topic + "/accepted"]
        subscription.messages.append((topic + "/accepted", json.dumps(answer).encode()))
        subscription.event.set()


class FakeCloud:
    name = "lamp-7"
    certificate_ends = "2026-12-20T00:00:00Z"

    def __init__(self, client):
        self.client = client


class FakeSettings:
    ROTATE_DAYS = 30


class FakeSystem:
    device_id = "lamp-7"

    def __init__(self, client=None, **aws):
        self.settings = FakeSettings()
        self.log = FakeLog()
        self.events = Events(self.log)
        self.kept = FakeStore()
        self.cloud = FakeCloud(client or FakeClient())
        self.cloud.client.emit = self.events.emit
        self.tasks = {}
        self.told = []
        section = {"endpoint": ENDPOINT, "template": "Fleet", "parameters": {}, "keys": "device"}
        section.update(aws)
        self.stored = {"set": 0, "config": {"aws": section, "app": {}}}

    def store(self):
        return self.kept

    def tell(self, event, detail=None):
        self.told.append(event)


def certificate_for(request):
    """As little of a certificate (PEM) for a request's key as the device looks at."""
    lines = request.split("\n")
    reader = der.sequence(binascii.a2b_base64("".join(lines[1:-2])), "request")
    info = der.Reader(reader.read(der.SEQUENCE, "info"), "info")
    info.integer("version")
    info.read(der.SEQUENCE, "subject")
    key = der.element(der.SEQUENCE, info.read(der.SEQUENCE, "key"))
    algorithm = der.element(der.SEQUENCE, binascii.unhexlify("06082a8648ce3d040302"))
    empty = der.element(der.SEQUENCE)
    inner = der.element(der.SEQUENCE, der.integer(7), algorithm, empty, empty, empty, key)
    whole = der.element(der.SEQUENCE, inner, algorithm, der.element(der.BIT_STRING, b"\0"))
    text = binascii.b2a_base64(whole).decode()
    return "-----BEGIN CERTIFICATE-----\n" + text + "-----END CERTIFICATE-----\n"


async def test_a_new_certificate_is_stored_on_trial():
    system = FakeSystem()
    assert await rotation.rotate(system) is True
    [(endpoint, name, certificate, key)] = system.kept.saved
    assert (endpoint, name) == (ENDPOINT, "lamp-7") and system.kept.on_trial
    certificate = pem.certificate(certificate)
    public = await p256.public(p256.private_from_der(key))
    assert public in certificate
    certificate_id = binascii.hexlify(hashlib.sha256(certificate).digest()).decode()
    assert rotation.certificate_id(system.kept) == certificate_id
    assert [topic for topic, _ in system.cloud.client.published] == [CSR, REGISTER]
    assert system.cloud.client.published[1][1]["parameters"] == {"SerialNumber": "lamp-7"}
    assert system.kept.state, "it is not counted"
    assert not system.told, "the caller leads to the next start"
    secret = binascii.hexlify(p256.private_from_der(key)).decode()
    assert not [line for line in system.log.lines if secret in line]


async def test_what_became_of_it_is_told_over_a_restart():
    system = FakeSystem()
    store = system.kept
    before = rotation.certificate_id(store)
    await rotation.rotate(system)
    assert rotation.is_renewed(store, before) is None
    rotation.settle(store, True, system.log, system.tell)
    assert store.settled == [True] and rotation.is_renewed(store, before) is True and not system.told
    assert rotation.is_renewed(store, rotation.certificate_id(store)) is False


def test_one_that_is_not_taken_is_thrown_away_and_the_next_is_due_in_a_day():
    system = FakeSystem()
    rotation.settle(system.kept, False, system.log, system.tell)
    assert system.kept.settled == [False] and system.told == ["rotated"]
    assert "thrown away" in system.log.lines[-1]


async def test_the_next_one_waits_for_its_day():
    system = FakeSystem()
    await rotation.rotate(system)
    rotation.settle(system.kept, False, system.log, system.tell)
    await araises(rotation.RotationError, "the next certificate is due in ", rotation.rotate(system))
    assert len(system.kept.saved) == 1


async def test_what_the_policy_does_not_allow_the_claim_does():
    for topic in (CSR, REGISTER):
        system = FakeSystem(FakeClient(hangs_up_on=topic))
        assert await rotation.rotate(system) is False
        assert system.told == ["rotation_by_claim"] and not system.kept.saved
    system = FakeSystem(keys="service")
    assert await rotation.rotate(system) is False
    assert system.told == ["rotation_by_claim"] and not system.cloud.client.published


async def test_a_network_that_goes_is_no_refusal():
    system = FakeSystem(FakeClient(hangs_up_on=CSR, reason="no PINGRESP within 10 s"))
    await araises(rotation.RotationError, "connection lost: no PINGRESP", rotation.rotate(system))
    assert not system.told and not system.kept.saved


async def test_the_thing_remains_the_thing():
    system = FakeSystem(FakeClient(name="lamp-8"))
    await araises(rotation.RotationError, "another thing of it: lamp-8", rotation.rotate(system))
    assert not system.kept.saved


async def test_a_configured_certificate_is_not_replaced():
    for aws in ({"thing_name": "lamp-7"}, {"thing_name": "lamp-7", "template": "Fleet"}):
        system = FakeSystem(**aws)
        await araises(rotation.RotationError, "is the configuration's", rotation.rotate(system))
        assert not system.cloud.client.published


async def test_it_is_due_days_before_the_end():
    with Clock():
        for ends, left in LEFT:
            for days in (left - 1, left, left + 1):
                system = FakeSystem()
                system.cloud.certificate_ends = ends
                system.settings.ROTATE_DAYS = days
                rotation.look(system)
                assert bool(system.tasks) == (bool(days) and left <= days), (ends, days)
                for task in system.tasks.values():
                    task.cancel()


async def test_it_is_not_begun_where_it_cannot_be_done():
    def disconnected(system):
        system.cloud.client.connected = False

    def unreadable(system):
        system.cloud.certificate_ends = "no X.509 certificate"

    def without_template(system):
        del system.stored["config"]["aws"]["template"]

    def switched_off(system):
        system.settings.ROTATE_DAYS = 0

    with Clock():
        for change in (disconnected, unreadable, without_template, switched_off):
            system = FakeSystem()
            change(system)
            rotation.look(system)
            assert not system.tasks, change


async def test_a_rotation_that_is_due_leads_to_the_next_start_and_is_one():
    with Clock():
        system = FakeSystem()
        rotation.look(system)
        [task] = system.tasks.values()
        rotation.look(system)
        assert list(system.tasks.values()) == [task]
        await task
    assert system.told == ["rotated"] and system.kept.on_trial


async def test_one_that_fails_ends_nothing():
    with Clock():
        system = FakeSystem(FakeClient(name="lamp-8"))
        rotation.look(system)
        [task] = system.tasks.values()
        await task
    assert not system.told and "lamp-8; will try again in a day" in system.log.lines[-1]
