"""Does the jobs that wait, one after another, and is forgotten then."""

import asyncio

from micropython import const

from iot.events import within
from iot.memory import borrow
from iot.work import documents

_POLL_MS = const(1000)
_PROGRESS_MS = const(5000)  # from one update to the next
_LATE_MS = const(10000)  # an application may need so long to say what it does
_STOPPED_MS = const(600000)  # and one that has failed, with the pause before it starts again
_CLEAN_UP_MS = const(6000)  # for a handler that was cancelled
_CANCEL_MS = const(2000)
_CLEAN_UP_POLL_MS = const(50)
_AGAIN = const(3)  # times that the cloud may offer what it has been told of


async def run(jobs, room):
    """Does all that waits. Raises what its executions do where the cloud does not answer, or has no time.

    Args:
        jobs: the Jobs, of iot.aws or iot.clouds.
        room: which of the two: it has `execution` and `actions`.
    """
    source = borrow(room + ".execution").Source(jobs)
    job = None
    again = 0
    try:
        while True:
            found = await source.following()
            if not found:
                return
            again = again + 1 if job and job.execution.key == found.key else 0
            if again == _AGAIN:
                return
            await asyncio.sleep_ms(_POLL_MS if again else 0)
            job = Job(jobs, found, room + ".actions")
            jobs.job = found
            await job.do()
    finally:
        jobs.job = None
        source.close()


class Rejected(Exception):
    """Nobody here does such a job. Attributes: details."""

    def __init__(self, reason, known=None):
        super().__init__(reason)
        self.details = {"reason": reason}
        if known:
            self.details["known"] = known


class Job:
    """A job, as its handler is given it.

    Attributes:
        id: the job's.
        document: what is to be done: the job's document, or the input of the step (AWS's managed templates).
        execution: the Execution.
        system: what built-in actions act on.
        then: called once the cloud knows that the job has succeeded; None for nothing.
    """

    def __init__(self, jobs, found, actions):
        self.id = found.job_id
        self.document = found.document
        self.execution = found
        self.system = jobs.system
        self.then = self._outcome = self._rejection = None
        self._jobs = jobs
        self._actions = actions

    # For the handler.

    async def progress(self, percent, **details):
        """Tells the cloud how far it is; of what is told within 5 s the newest wins.

        Args:
            percent: 0 to 100.
            details: more of it, as texts: nine of at most 1,024 characters, together some 1,200 bytes.
        """
        details["percent"] = percent
        self.execution.progress = documents.details(details)
        self.execution.is_new = True
        self.execution.wake.set()
        await asyncio.sleep_ms(0)

    def reject(self, reason):
        """Ends the job as REJECTED: it cannot be done here. Raises, so that the handler ends, too."""
        self._rejection = Rejected(reason)
        raise self._rejection

    # For the actions.

    async def restart(self, act):
        """Calls `act`, which restarts the chip, once the cloud knows; the next life says SUCCEEDED."""
        if await self.execution.mark("1"):
            act()
            await self.gone()

    async def gone(self):
        """Waits until this life has ended, or the cloud has ended the job."""
        while True:
            await asyncio.sleep_ms(_POLL_MS)

    # The way of a job.

    async def do(self):
        """From what the cloud has of it to its end."""
        found, log = self.execution, self.system.log
        if found.members.get("status") == "IN_PROGRESS" and self._jobs.asked != found.key:
            why = "interrupted by a restart"
            if found.marked:
                why = await borrow(self._actions).failed_over(self.system, found.marked)
            await found.tell("FAILED" if why else "SUCCEEDED", {"message": why} if why else {})
            return
        try:
            plan = await self._plan()
        except Rejected as error:
            await found.tell("REJECTED", error.details)
            return
        if not plan:
            return
        self._jobs.asked = found.key
        limits = [step[2] for step in plan]
        if not await found.begin(sum(limits) if all(limits) else 0):
            return
        self._jobs.asked = None  # found in progress from here on, it was interrupted
        log.info("jobs", "{}: begins", self.id)
        for step in plan:
            if not await self._carry_out(*step):
                log.warning("jobs", "{}: cancelled, or its time is over", self.id)
                return
            if self._outcome[0] != "SUCCEEDED":
                break
        if await found.tell(*self._outcome) and self.then:
            self.then()

    async def _plan(self):
        """Its steps, as `_carry_out` takes them; None where it is over already."""
        if self.document is None:
            text = "the document is over {} bytes, or nested too deep"
            raise Rejected(text.format(self.system.settings.PACKET_LIMIT))
        try:
            steps = documents.steps(self.document)
        except ValueError as error:
            raise Rejected(str(error))
        plan = []
        for action, given in steps:
            if plan and plan[-1][4]:
                raise Rejected("no step can follow on one that restarts")
            found = await self._handler(action)
            if not found:
                return None
            plan.append((given,) + found)
        return plan

    async def _handler(self, action):
        """(handler, timeout_min, whether built in, whether it restarts); a late application is waited for."""
        handlers, log, wake = self._jobs.handlers, self.system.log, self.execution.wake
        built_in = {} if action in handlers else borrow(self._actions).handlers()
        start_ms = running_ms = log.uptime_ms()
        while action not in handlers:
            if action in built_in:
                handler, restarts = built_in[action]
                return handler, 0, True, restarts
            now_ms = log.uptime_ms()
            if self.system.application.leaving:
                running_ms = now_ms
            if now_ms - running_ms > _LATE_MS or now_ms - start_ms > _STOPPED_MS:
                known = ", ".join(sorted(set(handlers) | set(built_in)))
                raise Rejected("unknown action " + documents.text(action, 128), known)
            await within(_POLL_MS, wake.wait())
            wake.clear()
            if await self.execution.is_over():
                return None
        return handlers[action] + (False, False)

    async def _carry_out(self, document, handler, timeout_min, is_built_in, _):
        """Has a handler do a step, to its outcome; False where the cloud has ended the job."""
        self.document = document
        self._outcome = None
        work = self._work(handler)
        try:
            task = asyncio.create_task(work) if is_built_in else self.system.thing.run(work)
        except RuntimeError as error:  # the application is being ended
            self._outcome = "FAILED", {"message": str(error)}
            return True
        try:
            return await self._watch(task, timeout_min)
        finally:
            if not task.done():
                task.cancel()

    async def _watch(self, task, timeout_min):
        """Until the handler has ended; tells its progress, and ends it where its time is over."""
        found, log = self.execution, self.system.log
        start_ms = now_ms = log.uptime_ms()
        told_ms = start_ms - _PROGRESS_MS
        while not self._outcome:
            if task.done():  # cancelled before it began
                self._outcome = self._ended()
            elif await found.is_over():
                await self._stop(task)
                return False
            elif timeout_min and now_ms - start_ms > timeout_min * 60000:
                await self._stop(task)
                self._outcome = "FAILED", {"message": "not done within {} min".format(timeout_min)}
            elif found.is_new and now_ms - told_ms >= _PROGRESS_MS:
                told_ms = now_ms
                await found.tell_progress()
            else:
                await within(_POLL_MS, found.wake.wait())
                found.wake.clear()
                now_ms = log.uptime_ms()
        return True

    async def _work(self, handler):
        """The handler, and what becomes of it. As a part of the application it lets no error out."""
        try:
            result = handler(self)
            if hasattr(result, "send"):
                result = await result
            outcome = "SUCCEEDED", documents.details(result if isinstance(result, dict) else {})
        except KeyboardInterrupt:
            raise
        except asyncio.CancelledError:
            outcome = self._ended()
        except BaseException as error:
            outcome = "FAILED", documents.failure(error)
        self._outcome = ("REJECTED", self._rejection.details) if self._rejection else outcome
        self.execution.wake.set()

    def _ended(self):
        """The outcome where the handler was cancelled, but not from here."""
        application = self.system.application
        if application.leaving:
            return "FAILED", {"message": "the application has ended: {}".format(application.error)}
        return "FAILED", {"message": "it was cancelled, by the application"}

    async def _stop(self, task):
        """Cancels the handler and lets it clean up."""
        for passed_ms in range(0, _CLEAN_UP_MS, _CLEAN_UP_POLL_MS):
            if task.done():
                return
            if passed_ms % _CANCEL_MS == 0:  # one that went on in spite of it is cancelled again
                task.cancel()
            await asyncio.sleep_ms(_CLEAN_UP_POLL_MS if passed_ms else 0)
        self.system.log.error("jobs", "{}: its handler does not end", self.id)
