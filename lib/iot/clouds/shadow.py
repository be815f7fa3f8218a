"""What of the thing's state stays in memory, with clouds other than AWS: a twin, a configuration, properties.

Handlers are called by iot.work.calls, there for a moment.
"""

import asyncio

from micropython import const

from iot.memory import borrow

_PAUSE_MS = const(5000)


class Shadow:
    """The thing's state, as `thing.shadow`; of its kind there is one."""

    def __init__(self, cloud, run, log):
        self.run = run
        self.log = log
        self.fields = {}  # as those of iot.aws.shadow
        self.delta = None
        self.by_topic = {"": self}  # for iot.work.calls
        self._cloud = cloud
        self._is_at_work = self._is_due = False

    def __call__(self, name):
        """ValueError: named ones are AWS's."""
        self._refuse("no named shadows; use thing.shadow")

    def on(self, key, handler):
        """As iot.aws.shadow.Shadow.on."""
        self.fields[key] = [handler, None, ..., False]
        self._cloud.takers["state"] = self
        if self._cloud.client.connected:
            self._cloud.look()

    def report(self, state):
        """Reports a part of the thing's state; False where the outbox has no room.

        Raises:
            ValueError: JSON has no word for it, or no message has room for it.
        """
        return bool(self._cloud.report(state))

    def desire(self, state):
        """ValueError: a device desires nothing there."""
        self._refuse("a device cannot desire; use thing.shadow.report")

    def close(self):
        """The application has ended."""
        self.fields.clear()
        self._cloud.takers.pop("state", None)

    def _refuse(self, why):
        raise ValueError("{}: {}".format(borrow(self._cloud.profile).CALLED, why))

    def wake(self, what):
        """Something is due for iot.work.calls."""
        self._is_due = True
        if not self._is_at_work:
            self._is_at_work = True
            try:
                self.run(self._work())
            except RuntimeError:  # the application is being ended
                self._is_at_work = False

    async def _work(self):
        try:
            while self._is_due:
                self._is_due = False
                try:
                    await borrow("iot.work.calls").run(self)
                except Exception as error:  # such as no memory for it
                    self.log.exception("shadow", "will try again", error)
                    self._is_due = True
                    await asyncio.sleep_ms(_PAUSE_MS)
        finally:
            self._is_at_work = False


def make(name, jobs, run, on, log):
    """The Shadow of a thing; arguments as iot.services has them."""
    return Shadow(jobs.cloud, run, log)
