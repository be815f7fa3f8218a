"""Device Shadows (AWS IoT Developer Guide, "AWS IoT Device Shadow service"): what of them stays in memory.

Handlers are called by iot.work.calls, and requests made by iot.aws.shadow_updates, there for a moment.
"""

import asyncio
import json

from micropython import const

from iot.aws.cloud import parsed
from iot.memory import borrow

_PATCHES = const(8)  # then they are joined
_WAITING_BYTES = const(4096)
_FLUSH_MS = const(1000)
_PAUSE_MS = const(5000)
_AROUND_BYTES = const(192)  # of a message, beside its topic and what the request is about


class Shadow:
    """One shadow of the thing: the classic one; and called with a name, the named one."""

    def __init__(self, shadows, topic):
        self.topic = topic
        self.fields = {}  # by key: [handler, checksum of its last value, the one that waits or `...`, busy]
        self.patches = []  # what is to be reported and desired, as JSON, in its order
        self.going = None  # the update that is on its way, until it is accepted
        self.known = None  # an update that changes nothing: its answer is the delta alone
        self.delta = None  # the newest one, until handlers have it
        self.version = 0  # of that
        self.must_look = False  # something may have been missed
        self._shadows = shadows

    def __call__(self, name):
        """The named shadow, always the same object.

        Raises:
            ValueError: the name is not 1 to 64 of `a-z A-Z 0-9 : _ - $`.
        """
        shadows = self._shadows
        topic = shadows.classic.topic + "/name/" + name
        if topic not in shadows.by_topic:
            borrow("iot.aws.shadow_document").check_name(name)
            shadows.by_topic[topic] = Shadow(shadows, topic)
        return shadows.by_topic[topic]

    def on(self, key, handler):
        """Has what is desired of a key done by `handler(value)`, sync or async.

        It is called once for each time that something is desired which is not reported; an async one that
        is busy, with the newest value afterwards. What it returns is reported, for None the value itself;
        where it raises, null is.

        Args:
            key: of the desired state; with dots, such as "fan.speed", of an object in it.
            handler: of one value; of an object it has what differs.
        """
        self.fields[key] = [handler, None, ..., False]
        self.must_look = True
        self._shadows.listen(self)

    def report(self, state):
        """Reports a part of the thing's state: as soon as there is a connection, and until it is accepted.

        Args:
            state: a dictionary, merged into what is reported: so are the objects in it; lists are replaced,
                and None deletes.

        Returns:
            False where too much waits already.

        Raises:
            ValueError: JSON has no word for it, AWS IoT does not take it, or no message has room for it.
        """
        return self._add("reported", state)

    def desire(self, state):
        """Desires a part of the thing's state itself; as `report`."""
        return self._add("desired", state)

    def close(self):
        """Lets go of all shadows: the application has ended."""
        for subscription in self._shadows.subscriptions.values():
            subscription.close()

    def _add(self, section, state):
        patch = None
        if isinstance(state, dict):
            for name, value in state.items():
                if not (isinstance(name, str) and isinstance(value, (int, str, bool))):
                    break
            else:
                patch = json.dumps({section: state}).encode()
        room = self._shadows.room(self.topic)[0]
        if not patch or len(patch) > room:
            patch = borrow("iot.aws.shadow_document").patch(section, state, room)
        patches = self.patches + [patch]
        if len(patches) > _PATCHES or sum(map(len, patches)) > _WAITING_BYTES:
            patches = borrow("iot.aws.shadow_document").joined(patches)
            if sum(map(len, patches)) > _WAITING_BYTES:
                return False
        self.patches = patches
        self._shadows.listen(self)
        return True


class Shadows:
    """All shadows of the thing: what they listen to, and what is done when something is due.

    Attributes:
        jobs, run, log: as given to `make`.
    """

    def __init__(self, topic, jobs, run, log):
        self.jobs = jobs
        self.run = run
        self.log = log
        self._at_work = {}  # what does it, and whether more was due meanwhile
        self.classic = Shadow(self, topic)
        self.by_topic = {topic: self.classic}
        self.subscriptions = {}  # by filter

    def listen(self, shadow):
        """Something is due for this one, whose answers and deltas are heard from now on."""
        topic = self.classic.topic + ("" if shadow is self.classic else "/name/+")
        for rest in ("/+/accepted", "/+/rejected", "/update/delta"):
            if topic + rest not in self.subscriptions:
                self.subscriptions[topic + rest] = self.jobs.client.subscribe(topic + rest, 1, 1, self._put)
        self.wake("aws.shadow_updates")

    def look(self, kept):
        """There is a connection: what was missed is to be heard."""
        for shadow in self.by_topic.values():
            shadow.must_look = True
        self.wake("aws.shadow_updates")

    def room(self, topic):
        """Bytes that a request to `topic` has room for, and an answer to it."""
        client, taken = self.jobs.client, len(topic) + _AROUND_BYTES
        return len(client.outbox.view) - taken, client.inbox.framer.limit - taken

    def _put(self, message):
        try:
            self._take(*message)
        except Exception as error:  # it must not end the connection
            self.log.exception("shadow", message[0], error)

    def _take(self, topic, payload):
        if self.jobs.requests and self.jobs.requests.put(topic, payload):
            return
        shadow = self.by_topic.get(topic.rsplit("/", 2)[0])
        if shadow and topic.endswith("/delete/accepted"):
            shadow.version = 0
        elif shadow and topic.endswith("/delta"):
            document = parsed(payload)
            if not document:
                self.log.error("shadow", "{}: a message too large, or no JSON", topic)
            elif document.get("version", 0) > shadow.version:
                shadow.version = document["version"]
                shadow.delta = document
                self.wake("work.calls")

    def wake(self, what):
        """Something is due for "aws.shadow_updates" or "work.calls", modules of iot."""
        if what in self._at_work:
            self._at_work[what] = True
        elif what == "work.calls" or self.jobs.client.connected:  # else there will be a look
            self._at_work[what] = True
            try:
                self.run(self._work(what))
            except RuntimeError:  # the application is being ended
                self._at_work.clear()

    async def _work(self, what):
        try:
            while self._at_work[what]:
                self._at_work[what] = False
                try:
                    if what != "work.calls":  # what waits goes first: to load this takes a moment
                        await self.jobs.client.flush(_FLUSH_MS)
                    await borrow("iot." + what).run(self)
                except Exception as error:  # such as no memory for it
                    self.log.exception("shadow", "will try again", error)
                    self._at_work[what] = True
                    await asyncio.sleep_ms(_PAUSE_MS)
        finally:
            del self._at_work[what]


def make(name, jobs, run, on, log):
    """The classic Shadow of the thing `name`; the others are what iot.aws.services has."""
    shadows = Shadows("$aws/things/" + name + "/shadow", jobs, run, log)
    on("cloud_up", shadows.look)
    return shadows.classic
