"""A client whose cloud has shadows, and does as told; and a thing that follows them."""

import asyncio
import json

from fakes import FakeLog
from iot.aws import shadow
from iot.aws.jobs import Jobs
from iot.aws.requests import Requests
from iot.mqtt.queues import matches

PREFIX = "$aws/things/lamp/shadow"


class Sized:
    """An Outbox and an Inbox, as far as their sizes go."""

    def __init__(self, size):
        self.view = bytes(size)
        self.limit = size
        self.framer = self


class Subscription:
    closed = False

    def __init__(self, topic_filter, put):
        self.topic_filter = topic_filter
        self.put = put

    def close(self):
        self.closed = True


class Cloud:
    """The thing's MQTT Client, with the service behind it.

    Attributes:
        next: what becomes of the next requests: "lost" (nothing is done), "silent" (it is done), "twice",
            "cut" (it is done, and the connection ends), or (code, message) of a refusal; then all are done.
        asked: (topic behind PREFIX, state or None) of all requests.
        full: the outbox takes nothing.
        waits: something else waits to go out.
    """

    def __init__(self, outbox_bytes=2048, packet_limit=3072):
        self.connected = True
        self.outbox, self.inbox = Sized(outbox_bytes), Sized(packet_limit)
        self.next = []
        self.asked = []
        self.full = self.waits = False
        self.subscriptions = []
        self.shadows = {}  # by what is behind PREFIX: [version, desired, reported, when each was desired]
        self._now = 1700000000
        self._task = None

    # The client

    def subscribe(self, topic_filter, qos, depth, put):
        assert qos == 1
        self.subscriptions.append(Subscription(topic_filter, put))
        return self.subscriptions[-1]

    async def flush(self, timeout_ms):
        """Until what waits has gone out, which is nothing but for `waits`."""
        while self.waits and timeout_ms > 0:
            await asyncio.sleep_ms(1)
            timeout_ms -= 1
        return not self.waits

    def publish(self, topic, document, qos=0):
        assert qos == 1 and self.connected
        payload = json.dumps(document).encode()
        assert len(payload) + len(topic) + 16 <= len(self.outbox.view), "larger than the outbox"
        if self.full:
            return False
        self._task = asyncio.create_task(
            self._do(topic, json.loads(payload), self.next.pop(0) if self.next else None)
        )
        return True

    def say(self, topic, document):
        """Sends what it says to whoever subscribed; what is too large comes without its payload."""
        payload = json.dumps(document).encode()
        if len(payload) > self.inbox.framer.limit:
            payload = None
        for one in self.subscriptions:
            if not one.closed and matches(one.topic_filter, topic):
                one.put((topic, payload))

    # The service

    async def _do(self, topic, request, what):
        await asyncio.sleep_ms(0)
        place, kind = topic.rsplit("/", 1)
        name = place[len(PREFIX) :]
        self.asked.append((name + "/" + kind, request.get("state")))
        if isinstance(what, tuple):
            answer = {"code": what[0], "message": what[1], "clientToken": request["clientToken"]}
            self.say(topic + "/rejected", answer)
        elif what != "lost":
            for _ in range(2 if what == "twice" else 1):
                self._answer(topic, name, kind, request, what in ("silent", "cut"))
        if what == "cut":
            self.connected = False

    def _answer(self, topic, name, kind, request, is_silent):
        token = request["clientToken"]
        if kind == "get" and name not in self.shadows:
            self.say(topic + "/rejected", {"code": 404, "message": "No shadow exists", "clientToken": token})
        elif kind == "get":
            version, desired, reported, when = self.shadows[name]
            difference = delta(desired, reported)
            answer = {"state": {"desired": desired, "reported": reported}, "version": version}
            if difference:
                answer["state"]["delta"] = difference
                answer["metadata"] = {"delta": {key: when.get(key) for key in difference}}
            answer["clientToken"] = token
            if not is_silent:
                self.say(topic + "/accepted", answer)
        else:
            self.update(request["state"], name, None if is_silent else token)

    def update(self, state, name="", token=None):
        """Anybody's update."""
        self._now += 1
        one = self.shadows.setdefault(name, [0, {}, {}, {}])
        one[0] += 1
        merge(one[1], state.get("desired") or {})
        merge(one[2], state.get("reported") or {})
        for key in state.get("desired") or ():
            one[3][key] = {"timestamp": self._now}
        topic = PREFIX + name + "/update/"
        self.say(topic + "accepted", {"state": state, "version": one[0], "clientToken": token})
        self.say_delta(name)

    def desire(self, state, name=""):
        self.update({"desired": state}, name)

    def say_delta(self, name=""):
        version, desired, reported, when = self.shadows[name]
        difference = delta(desired, reported)
        if difference:
            metadata = {key: when.get(key) for key in difference}
            self.say(
                PREFIX + name + "/update/delta",
                {"version": version, "state": difference, "metadata": metadata},
            )

    def reported(self, name=""):
        return self.shadows[name][2] if name in self.shadows else None


def merge(tree, patch):
    for name, value in patch.items():
        if value is None:
            tree.pop(name, None)
        elif isinstance(value, dict):
            if not isinstance(tree.get(name), dict):
                tree[name] = {}
            merge(tree[name], value)
        else:
            tree[name] = value


def delta(desired, reported):
    difference = {}
    for name, wanted in desired.items():
        has = reported.get(name)
        if isinstance(wanted, dict) and isinstance(has, dict):
            inner = delta(wanted, has)
            if inner:
                difference[name] = inner
        elif name not in reported or wanted != has:
            difference[name] = wanted
    return difference


class QuickRequests(Requests):
    """What is said to get no answer need not be waited for."""

    async def ask(self, topic, document, timeout_ms, tries):
        cloud = self.client
        if cloud.next and cloud.next[0] in ("lost", "silent", "cut"):
            timeout_ms = 20
        return await super().ask(topic, document, timeout_ms, tries)


class QuickJobs(Jobs):
    """Who has the requests."""

    def need_requests(self):
        self.requests = self.requests or QuickRequests(self.client, self.system.log)
        return super().need_requests()


class Bench:
    """A thing with shadows, as long as the `async with` lasts."""

    def __init__(self, **sizes):
        self.cloud = Cloud(**sizes)
        self.log = FakeLog()
        self.events = {}
        self.tasks = []
        self.shadow = None

    async def __aenter__(self):
        self.begin()
        return self

    async def __aexit__(self, *error):
        await self.end()

    def begin(self):
        """The application starts."""
        self.jobs = QuickJobs("lamp", self.cloud, self)
        self.shadow = shadow.make("lamp", self.jobs, self.run, self.on, self.log)

    async def end(self):
        """The application has ended."""
        while [task for task in self.tasks if not task.done()]:  # as iot.endings has it
            for task in self.tasks:
                task.cancel()
            await asyncio.sleep_ms(1)
        for task in self.tasks:
            try:
                await task
            except asyncio.CancelledError:
                pass
        self.tasks.clear()
        self.events.clear()
        self.shadow.close()
        assert self.jobs.requests is None, "they stay in memory"

    def run(self, coroutine):
        self.tasks.append(asyncio.create_task(coroutine))
        return self.tasks[-1]

    def on(self, event, handler):
        self.events[event] = handler

    def connect(self):
        self.cloud.connected = True
        self.events["cloud_up"](True)

    async def until(self, condition):
        """Waits until something is so."""
        for _ in range(20_000):
            if condition():
                return
            await asyncio.sleep_ms(1)
        raise AssertionError("{} {} {}".format(self.cloud.asked, self.cloud.shadows, self.log.lines))

    async def quiet(self):
        """Waits until nothing is to be sent or handled."""
        still = 0
        asked = len(self.cloud.asked)
        while still < 10:
            await asyncio.sleep_ms(1)
            busy = asked != len(self.cloud.asked)
            asked = len(self.cloud.asked)
            for one in self.shadow._shadows.by_topic.values():
                busy = busy or one.going or one.patches or one.delta
            still = 0 if busy else still + 1


class NoPause:
    """Within a `with`, what is tried again is tried at once."""

    def __enter__(self):
        from iot.backoff import Backoff

        self._class, self._before = Backoff, Backoff.next_ms
        Backoff.next_ms = lambda self: 1

    def __exit__(self, *error):
        self._class.next_ms = self._before
