"""What comes from a cloud other than AWS: who gets it, once or again, and what is said where nobody does."""

import asyncio
import json

from fakes import FakeLog
from iot.clouds import arrivals
from iot.clouds import cloud as cloud_module
from iot.work.calls import take

METHOD = "$iothub/methods/POST/beep/?$rid=1"
PATCH = "$iothub/twin/PATCH/properties/desired/?$version=2"


class FakeCloud:
    """One with the profile of Azure, and a client that keeps what is said, where it has room."""

    name = "lamp"

    def __init__(self, has_room=True, profile="iot.azure.profile"):
        self.profile, self.section = profile, {"endpoint": "hub.azure-devices.net"}
        self.client = self
        self.log = FakeLog()
        self.log.uptime_ms = lambda: 5
        self.takers, self.said = {}, []
        self.has_room = has_room
        self.again_ms = 0

    def post(self, topic, payload, retain=False):
        self.said.append((topic, payload))
        return self.has_room


class FakeTaker:
    """A Shadow, Jobs and Commands in one, that does nothing."""

    def __init__(self):
        self.delta = self.offered = self.job = self.module = None
        self.known, self.running, self.handlers = (), 0, {}
        self.told = []
        self.log = FakeLog()
        self.due = self

    def wake(self, what):
        self.told.append(self.delta)

    def set(self):
        self.told.append(self.offered)

    def run(self, coroutine):
        coroutine.close()
        self.told.append("command")

    def answer(self, execution, status, code=None, description=None, result=None):
        self.told.append((status, code))
        return True


def test_a_part_of_the_state_goes_to_what_waits_and_the_whole_takes_its_place():
    cloud, shadow = FakeCloud(), FakeTaker()
    cloud.takers["state"] = shadow
    for change in (b'{"fan": {"speed": 1}}', b'{"fan": {"mode": "a"}}', b'{"led": 2, "gone": null}'):
        arrivals.take(cloud, PATCH, change)
    assert shadow.delta == {"state": {"fan": {"speed": 1, "mode": "a"}, "led": 2}, "is_part": True}
    whole = b'{"desired": {"led": 3}, "reported": {}}'
    arrivals.take(cloud, "$iothub/twin/res/200/?$rid=get", whole)
    assert shadow.delta == {"state": {"led": 3}, "is_part": False} and len(shadow.told) == 4


def test_what_is_desired_beside_does_not_take_away_what_waits():
    fields = {"led": [None, None, ..., True], "fan.speed": [None, None, ..., False]}
    take(fields, {"state": {"led": 1}, "is_part": True})
    take(fields, {"state": {"fan": {"speed": 2}}, "is_part": True})
    assert [field[2] for field in fields.values()] == [1, 2]
    fields["fan.speed"][2] = ...
    take(fields, {"state": {"fan": {"speed": 2}}})
    assert fields["fan.speed"][2] is ..., "what is not desired anew is not done anew"
    take(fields, {"state": {"fan": {"speed": 2}}, "is_part": True})
    assert fields["fan.speed"][2] == 2, "it is"
    assert fields["led"][2] == ..., "with all of it there, what is in none is not desired any more"


def test_a_job_is_offered_once_and_taken_back():
    cloud, jobs = FakeCloud(), FakeTaker()
    cloud.takers["job"] = jobs
    arrivals.take(cloud, PATCH, b'{"job": {"id": "1"}}')
    assert jobs.told == [] and cloud.said == [("$iothub/twin/GET/?$rid=get", b"")]
    for _ in "12":
        arrivals.take(cloud, "$iothub/twin/res/200/?$rid=get", b'{"desired": {"job": {"id": "1"}}}')
    arrivals.take(cloud, PATCH, b'{"led": 1}')
    assert jobs.told == [{"id": "1"}]
    arrivals.take(cloud, PATCH, b'{"job": null}')
    assert jobs.told == [{"id": "1"}, {}]


def test_a_question_that_was_in_vain_is_asked_again():
    cloud = FakeCloud()
    arrivals.take(cloud, "$iothub/twin/res/400/?$rid=report", b'{"message": "no such name"}')
    assert cloud.log.lines == ["cloud: the twin: 400 no such name"] and not cloud.again_ms
    arrivals.take(cloud, "$iothub/twin/res/429/?$rid=get", b"")
    assert cloud.again_ms == 10005
    cloud = FakeCloud(has_room=False)
    arrivals.take(cloud, PATCH, b'{"job": {"id": "1"}}')
    assert cloud.again_ms == 10005
    arrivals.take(cloud, PATCH, None)
    assert "over the packet limit" in cloud.log.lines[-1]


def test_a_method_of_the_same_number_is_another_one_and_a_message_twice_is_not():
    cloud, commands = FakeCloud(), FakeTaker()
    cloud.takers["command"] = commands
    for _ in "12":
        arrivals.take(cloud, METHOD, b"{}")
    assert commands.told == ["command"] * 2 and commands.running == 2
    commands.running = 4
    arrivals.take(cloud, METHOD, b"{}")
    assert commands.told[2:] == [("REJECTED", "BUSY")]
    cloud, commands = FakeCloud(profile="iot.broker.profile"), FakeTaker()
    cloud.section = {"topics": {"desired": "want/{id}", "commands": "do/{id}/+/+"}}
    cloud.takers["command"] = commands
    for number in (1, 1, 2, 1):
        arrivals.take(cloud, "do/lamp/beep/{}".format(number), b"{}")
    assert commands.told == ["command"] * 2


def test_where_nobody_takes_commands_that_is_the_answer():
    cloud = FakeCloud()
    arrivals.take(cloud, METHOD, b"{}")
    [(topic, text)] = cloud.said
    assert topic == "$iothub/methods/res/400/?$rid=1"
    assert json.loads(text) == {"reason": "no commands here"}


class Renewal:
    """In the place of iot.clouds.login: the first renewal finds no memory."""

    def __init__(self):
        self.asked = 0

    async def renew(self, cloud):
        self.asked += 1
        if self.asked == 1:
            raise MemoryError("no memory")
        cloud.ends_ms = 0


async def test_a_renewal_that_fails_is_told_and_tried_again():
    log, renewal = FakeLog(), Renewal()
    log.uptime_ms = lambda: 5
    cloud = cloud_module.Cloud({}, "lamp", "iot.azure.profile", None, log, None)
    cloud.client, cloud.ends_ms = cloud, 1
    cloud.connected = True
    before, cloud_module.borrow = cloud_module.borrow, lambda name: renewal
    watch = asyncio.create_task(cloud._watch())
    try:
        for _ in range(1000):
            if not cloud.ends_ms:
                break
            await asyncio.sleep_ms(10)
    finally:
        cloud_module.borrow = before
        watch.cancel()
    assert renewal.asked == 2 and len(log.lines) == 1 and "no memory" in log.lines[0]
