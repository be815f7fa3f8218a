"""Jobs, with clouds other than AWS: one at a time, which stands under `job` in the thing's desired state.

`{"job": {"id": "1 to 64 characters", "document": {"action": …}}}`; what becomes of it is reported there, too.
"""

import asyncio

from micropython import const

from iot.memory import borrow

_PAUSE_MS = const(60000)
_POLL_MS = const(1000)


class Jobs:
    """The thing's jobs; attributes as those of iot.aws.jobs.Jobs.

    Attributes:
        cloud: the Cloud.
        offered: what stands under `job`, None for nothing.
        due: set while there is something to do.
    """

    update = None

    def __init__(self, cloud, system):
        self.cloud = cloud
        self.system = system
        self.handlers = {}
        self.job = self.asked = self.offered = None
        self.due = asyncio.Event()
        cloud.takers["job"] = self

    def on(self, action, handler, timeout_min=0):
        """As iot.aws.jobs.Jobs.on."""
        if not 0 <= timeout_min <= 10080:
            raise ValueError("timeout_min: 0 to 10080")
        self.handlers[action] = handler, timeout_min

    def look(self):
        """There is a connection: the state is asked for, where the cloud does not bring it unasked."""
        self.cloud.look()

    async def changed(self):
        """Returns once something else is offered."""
        self.due.clear()
        await self.due.wait()
        self.due.set()

    async def run(self):
        """Does the jobs that come."""
        while True:
            await self.due.wait()
            self.due.clear()
            while "trial" in self.system.tasks:  # no room for its code beside that
                await asyncio.sleep_ms(_POLL_MS)
            try:
                await borrow("iot.work.job").run(self, "iot.clouds")
            except Exception as error:  # there is no memory for it, or flash fails
                self.system.log.warning("jobs", "tries again: {}", error)
                await asyncio.sleep_ms(_PAUSE_MS)
                self.due.set()
