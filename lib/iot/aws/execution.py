"""One execution of a job, as the cloud has it: what it is told and asked (AWS: "Jobs device MQTT API")."""

import asyncio

from micropython import const

from iot.backoff import Backoff
from iot.work import documents

_FIRST_MS = const(1000)
_MOST_MS = const(300000)
_STEP_TIMEOUT_MAX = const(10080)  # minutes
_RESTARTS = const("iot-restarts")  # the detail by which the next life knows that it was meant to begin
_UPDATE = const("update-")  # what the ids of jobs begin with whose documents may be too large to be looked at
_PENDING = const(("QUEUED", "IN_PROGRESS"))
_PASSING = const(("Timeout", "RequestThrottled", "InternalError"))
_OVER = const(("InvalidStateTransition", "TerminalStateReached", "ResourceNotFound", "VersionMismatch"))


class Source:
    """Where the executions of the thing's Jobs come from."""

    def __init__(self, jobs):
        self._jobs = jobs
        self._requests = jobs.need_requests()

    async def following(self):
        """The Execution that is next, None where none waits. Its document is None where that is too large.

        Raises requests.Error where the cloud does not answer, or has no time.
        """
        return None if self._jobs.update else await _following(self._jobs, self._requests)

    def close(self):
        """No more are asked for."""
        self._jobs.spare_requests()


async def _following(jobs, requests):
    topic = jobs.prefix + "$next/get"
    may_be_update = False
    try:
        answer = await requests.ask(topic, {})
    except requests.Error as error:
        if error.code != "TooLarge":
            raise
        answer = await requests.ask(topic, {"includeJobDocument": False})
        may_be_update = "OTA" not in jobs.handlers
    members = answer.get("execution")
    if members and may_be_update and members["jobId"].startswith(_UPDATE):
        members["jobDocument"] = {"action": "OTA"}  # as with a delta; the next life looks what it is
    return Execution(members, jobs.prefix, requests, jobs.system.log) if members else None


class Execution:
    """An execution that has not ended.

    Args:
        members: the JobExecution of the cloud's answer.
        prefix: of the thing's topics of jobs.
        requests: the Requests, whose answers are listened to.
        log: a Log.

    Attributes:
        job_id: the job's.
        key: (job's id, number): a job that is tried again has the same id and another number.
        members: without its document.
        document: the job's, None where it was too large or nested too deep.
        progress: details that were told, or shall be with the next word.
        is_new: whether the cloud does not know them yet.
        wake: an Event, set where somebody should look at it.
        marked: as what `mark` has marked it, None where it has not.
    """

    def __init__(self, members, prefix, requests, log):
        self.job_id = members["jobId"]
        self.key = self.job_id, members.get("executionNumber")
        self.document = members.pop("jobDocument", None)
        self.members = members
        self.marked = (members.get("statusDetails") or {}).get(_RESTARTS)
        self.progress = {}
        self.is_new = self._doubted = False
        self.wake = asyncio.Event()
        self._topic = prefix + self.job_id + "/"
        self._requests = requests
        self._log = log

    def changed(self):
        """Another job is the next one, or none is; perhaps: what is said unasked may be late."""
        self._doubted = True
        self.wake.set()

    async def is_over(self):
        """Whether the cloud no longer waits for it; asked where something has changed."""
        if not self._doubted:
            return False
        self._doubted = False
        request = {"executionNumber": self.key[1], "includeJobDocument": False}
        try:
            answer = await self._requests.ask(self._topic + "get", request, tries=1)
        except self._requests.Error as error:
            self._doubted = error.code in _PASSING
            return error.code in _OVER
        return (answer.get("execution") or {}).get("status") not in _PENDING

    async def begin(self, timeout_min):
        """Has the cloud see it IN_PROGRESS, for `timeout_min` or with 0 without an end; False where it may
        not be done. Raises requests.Error where the cloud does not answer.
        """
        update = self._update("IN_PROGRESS", {})
        update["expectedVersion"] = self.members.get("versionNumber")
        if timeout_min:
            update["stepTimeoutInMinutes"] = min(timeout_min, _STEP_TIMEOUT_MAX)
        try:
            await self._ask(update)
        except self._requests.Error as error:
            if error.code in _PASSING:
                raise
            state = (error.answer or {}).get("executionState") or {}
            # An earlier try was done and its answer lost: a life before would have been seen in progress.
            if error.code != "VersionMismatch" or state.get("status") != "IN_PROGRESS":
                self._log.warning("jobs", "{}: not begun: {}", self.job_id, error)
                return False
        return True

    async def mark(self, before):
        """Has the next life find it as one that was meant to begin that; whether the cloud knows.

        before: what the next life compares itself with (iot.aws.actions, `failed_over`).
        """
        return await self.tell("IN_PROGRESS", {_RESTARTS: before})

    async def tell_progress(self):
        """One update; where that fails, the next word has it."""
        self.is_new = False
        try:
            await self._ask(self._update("IN_PROGRESS", self.progress), tries=1)
        except (self._requests.Error, ValueError) as error:  # ValueError: larger than the outbox
            self._log.debug("jobs", "{}: progress is not taken: {}", self.job_id, error)
            self._doubted = self._doubted or getattr(error, "code", None) in _OVER

    async def tell(self, status, details):
        """Tells the cloud until it has taken that; False where that is no longer possible."""
        update = self._update(status, documents.details(self.progress, found=documents.details(details)))
        backoff = Backoff(_FIRST_MS, _MOST_MS)
        while True:
            try:
                await self._ask(update)
                self._log.info("jobs", "{}: {}", self.job_id, status)
                return True
            except (self._requests.Error, ValueError) as error:
                code = getattr(error, "code", None)
                if code not in _PASSING:
                    self._log.warning("jobs", "{}: {} is not taken: {}", self.job_id, status, error)
                    # Perhaps it is for a character that AWS does not take.
                    if code in _OVER or not update.pop("statusDetails", None):
                        return False
            await asyncio.sleep_ms(backoff.next_ms())

    def _update(self, status, details):
        update = {"status": status, "executionNumber": self.key[1]}
        if details:
            update["statusDetails"] = details
        return update

    async def _ask(self, update, tries=4):
        await self._requests.ask(self._topic + "update", update, tries=tries)
