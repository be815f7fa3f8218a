"""Jobs of AWS IoT (Developer Guide, "Jobs"): hears of them; what does one is loaded when there is one."""

import asyncio

from micropython import const

from iot.memory import borrow

_PAUSE_MS = const(60000)
_POLL_MS = const(1000)
_NO_JOB = const(80)  # bytes in which the cloud says that none waits


class Jobs:
    """The thing's jobs, done one at a time.

    Args:
        name: the thing's name.
        client: its MQTT Client.
        system: what built-in actions act on (iot.aws.actions).

    Attributes:
        handlers: by action, (handler, minutes that it may take or 0).
        requests: the Requests of this thing while something needs them, None at other times.
        update: the job that waits if it is an update's (iot.aws.update_job), else None.
    """

    def __init__(self, name, client, system):
        self.prefix = "$aws/things/" + name + "/jobs/"
        self.client = client
        self.system = system
        self.handlers = {}
        self.requests = None
        self._users = 0
        self.update = None
        self.job = self.asked = None  # the one that is being done; what this life has asked to begin
        self._due = asyncio.Event()

    def on(self, action, handler, timeout_min=0):
        """Has jobs of this action done by `handler(job)`, sync or async.

        What it returns is the outcome: a dictionary becomes the details of SUCCEEDED. What it raises fails
        the job; where the cloud cancels it or its time is over, an async handler is cancelled.

        Args:
            action: the document's `action`, or the handler of a step of AWS's managed templates.
            handler: of one Job; see iot.work.job.
            timeout_min: 1 to 10080 minutes; 0 for no limit.
        """
        if not 0 <= timeout_min <= 10080:
            raise ValueError("timeout_min: 0 to 10080")
        self.handlers[action] = handler, timeout_min

    def need_requests(self):
        """The Requests, whose code is in memory until each who needs them has called `spare_requests`."""
        self._users += 1
        if self.requests is None:
            self.requests = borrow("iot.aws.requests").Requests(self.client, self.system.log)
        return self.requests

    def spare_requests(self):
        """Somebody needs them no more."""
        self._users -= 1
        if not self._users:
            self.requests = None

    def look(self):
        """Asks the cloud for a job that waits: after each connection."""
        self.client.publish(self.prefix + "$next/get", "{}", qos=1)

    async def changed(self, update):
        """Returns once another job waits than this update's, or none."""
        while self.update == update:
            self._due.clear()
            await self._due.wait()
        self._due.set()

    async def run(self):
        """Does the jobs that come."""
        for topic_filter in ("notify-next", "+/+/+"):
            self.client.subscribe(self.prefix + topic_filter, 1, 1, self._put)
        while True:
            await self._due.wait()
            self._due.clear()
            while "trial" in self.system.tasks:  # no room for its code beside that
                await asyncio.sleep_ms(_POLL_MS)
            try:
                if self.update:
                    await borrow("iot.aws.update_job").take(self, self.update)
                else:
                    await borrow("iot.work.job").run(self, "iot.aws")
            except Exception as error:  # the cloud does not answer, or there is no memory for it
                self.system.log.warning("jobs", "tries again: {}", error)
                await asyncio.sleep_ms(_PAUSE_MS)
                if self.client.connected:  # else there will be a look
                    self._due.set()

    def _put(self, message):
        topic, payload = message
        if self.requests and self.requests.put(topic, payload):
            return
        # Unasked: another job is the next one, or none is; or it is what `look` has asked.
        if topic.endswith("-next") or "/$next/" in topic:
            if self.job:
                self.job.changed()
            has_job = payload and len(payload) > _NO_JOB
            before, self.update = self.update, None
            if has_job and "OTA" not in self.handlers:
                self.update = borrow("iot.aws.update_job").job(payload)
            if has_job or payload is None or before or topic.endswith("/rejected"):
                self._due.set()
