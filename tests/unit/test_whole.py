"""State that a cloud has whole or not at all: what is reported in one life goes together."""

import asyncio
import json

from check import raises
from fakes import FakeLog
from iot.clouds import whole
from iot.clouds.execution import Execution

TOPICS = {"reported": "is/{id}"}


class Client:
    """Keeps what is posted. room: whether its outbox takes any."""

    def __init__(self):
        self.outbox = self
        self.view = bytes(200)
        self.posted = []
        self.room = True
        self.answered = asyncio.Event()

    def post(self, topic, payload, retain=False):
        if not self.room:
            self.room = True
            return None
        assert (topic, retain) == ("is/lamp", True)
        self.posted.append(json.loads(payload))
        return self._answer()

    async def _answer(self):
        await self.answered.wait()
        return True


class Cloud:
    """A broker's, as far as reports go."""

    name, profile, section = "lamp", "iot.broker.profile", {"topics": TOPICS}

    def __init__(self):
        self.client = Client()
        self.whole = whole.new()


async def test_what_is_reported_while_the_cloud_answers_goes_together_and_whole():
    cloud = Cloud()
    client = cloud.client
    first = whole.report(cloud, {"led": 1, "fan": {"speed": 2, "on": True}})
    await asyncio.sleep_ms(0)
    assert whole.report(cloud, {"led": 0, "fan": {"speed": 3}}) is first
    whole.report(cloud, {"fan": {"on": None}, "mode": "a"})
    assert client.posted == [{"led": 1, "fan": {"speed": 2, "on": True}}]
    client.answered.set()
    assert await first is True
    assert client.posted[1:] == [{"led": 0, "fan": {"speed": 3}, "mode": "a"}]
    client.room = False  # then it waits for some
    assert await whole.report(cloud, {"led": None, "fan": 7, "mode": None}) is True
    assert client.posted[2:] == [{"fan": 7}]


async def test_what_has_no_room_in_a_message_is_refused_and_leaves_the_state_as_it_was():
    cloud = Cloud()
    cloud.client.answered.set()
    await whole.report(cloud, {"led": 1})
    for change, text in (
        ({"text": "x" * 180}, "bytes with all that was before; the limit is 200; None takes a member away"),
        ({"x": float("nan")}, "a number that JSON has not"),
        ([1], "reported: a dictionary"),
    ):
        raises(ValueError, text, whole.report, cloud, change)
    assert cloud.whole["state"] == {"led": 1} and len(cloud.client.posted) == 1
    raises(ValueError, "the limit is 200", whole.report, cloud, {"a": {"b": "x" * 180}})
    await whole.report(cloud, {"text": "x" * 150})
    raises(ValueError, "the limit is 200", whole.report, cloud, {"b": "x" * 40})
    assert await whole.report(cloud, {"text": None, "b": "x" * 40}) is True


class Jobs:
    """What an Execution has of them, the System among it."""

    def __init__(self, cloud):
        self.cloud, self.system, self.log, self.kept = cloud, self, FakeLog(), None
        cloud.report = lambda change: whole.report(cloud, change)

    def store(self):
        return self

    def job(self, parts):
        self.kept = parts["state"]


async def test_a_job_ends_though_its_details_have_no_room_beside_the_state():
    cloud = Cloud()
    cloud.client.answered.set()
    await whole.report(cloud, {"text": "x" * 100})
    jobs = Jobs(cloud)
    job = Execution(jobs, "1", {}, b"begun")
    job.progress = {"percent": "x" * 100}
    await job.tell_progress()
    assert "jobs: 1: reported: " in jobs.log.lines[0]
    await job.tell("SUCCEEDED", {"why": "x" * 100})
    assert jobs.kept == b"done" and "jobs: 1: told without details: reported: " in jobs.log.lines[1]
    assert cloud.client.posted[-1] == {"text": "x" * 100, "job": {"id": "1", "status": "SUCCEEDED"}}
