"""One job of a cloud that keeps no jobs: what is known of it lies in flash, what becomes of it is reported.

In memory for a moment.
"""

import asyncio

from micropython import const

from iot.work import documents

_ID_MAX = const(64)
_ROOM_MS = const(1000)
_DONE = const(b"done")
_BEGUN = const(b"begun")


class Source:
    """Where the executions of the thing's Jobs come from."""

    def __init__(self, jobs):
        self._jobs = jobs

    async def following(self):
        """The Execution that is offered, None where none is, or it is done."""
        offered = self._jobs.offered
        job_id = offered.get("id") if isinstance(offered, dict) else None
        if not isinstance(job_id, str) or not 1 <= len(job_id) <= _ID_MAX:
            if offered:
                self._jobs.system.log.error("jobs", "a job without an id of 1 to {} characters", _ID_MAX)
            return None
        state = self._jobs.system.store().job() or {}
        known = state["state"] if state.get("id") == job_id.encode() else None
        return None if known == _DONE else Execution(self._jobs, job_id, offered.get("document"), known)

    def close(self):
        """No more are asked for."""


class Execution:
    """A job that has not ended, as iot.aws.execution.Execution; `jobs` are its Jobs."""

    def __init__(self, jobs, job_id, document, known):
        self.job_id = job_id
        self.key = job_id, None
        self.document = document
        self.members = {"status": "IN_PROGRESS" if known else "QUEUED"}
        self.marked = str(known, "utf-8") if known and known != _BEGUN else None
        self.progress = {}
        self.is_new = False
        self.wake = asyncio.Event()
        self.jobs = jobs

    def changed(self):
        """Something else is offered."""
        self.wake.set()

    def is_offered(self):
        """Whether it still stands there."""
        offered = self.jobs.offered
        return isinstance(offered, dict) and offered.get("id") == self.job_id

    async def is_over(self):
        """Whether another one has taken its place."""
        return not self.is_offered()

    async def begin(self, timeout_min):
        """Has flash know that it has begun, and the cloud."""
        self._keep(_BEGUN)
        self.members["status"] = "IN_PROGRESS"
        await self._report("IN_PROGRESS", None)
        return True

    async def mark(self, before):
        """Has the next life find it as one that was meant to begin that."""
        self._keep(before.encode())
        await self._report("IN_PROGRESS", {})
        return True

    async def tell_progress(self):
        """Tells of `progress`; where the outbox is full, the next word has it."""
        self.is_new = False
        try:
            self._post("IN_PROGRESS", self.progress)
        except ValueError as error:  # no room beside all else that is reported
            self.jobs.system.log.warning("jobs", "{}: {}", self.job_id, error)

    async def tell(self, status, details):
        """Tells the cloud what has become of it, and has flash know that it is done or goes on."""
        if self.members["status"] == "QUEUED":
            await self._report("QUEUED", None)
        await self._report(status, documents.details(self.progress, found=documents.details(details)))
        if status != "IN_PROGRESS":
            self._keep(_DONE)
        self.jobs.system.log.info("jobs", "{}: {}", self.job_id, status)
        return True

    async def _report(self, status, details):
        """details: None where what is left of the job before shall go: clouds merge what is reported."""
        while True:
            try:
                receipt = self._post(status, details)
            except ValueError as error:  # no room beside all else that is reported
                if not details:
                    raise
                self.jobs.system.log.warning("jobs", "{}: told without details: {}", self.job_id, error)
                details = None
                continue
            if receipt and await receipt:
                return
            await asyncio.sleep_ms(_ROOM_MS)

    def _post(self, status, details):
        return self.jobs.cloud.report({"job": {"id": self.job_id, "status": status, "details": details}})

    def _keep(self, state):
        self.jobs.system.store().job({"id": self.job_id.encode(), "state": state})
