"""A job from the cloud's offer to its end, whatever the handler, the cloud and the power do."""

import asyncio

from check import araises
from fakes import FakeLog, FakeNVS
from iot import probation
from iot.aws.jobs import Jobs
from iot.aws.requests import ServiceError
from iot.work import job as module

PREFIX = "$aws/things/lamp/jobs/"
ENDED = ("SUCCEEDED", "FAILED", "REJECTED", "CANCELED", "TIMED_OUT")
MINUTE_MS = 60000


class Log(FakeLog):
    now_ms = 0

    def uptime_ms(self):
        return self.now_ms

    def drain_to(self, level, take):
        self.drained = level

    def set_level(self, level, minutes=0):
        if level not in ("debug", "info"):
            raise ValueError("log level {!r}".format(level))
        self.level = level, minutes


class Cloud:
    """The service of jobs as Requests see it. `answers`: what is answered instead, (topic, error) each."""

    Error = ServiceError
    name = "lamp"
    client = None

    def __init__(self):
        self.executions = []
        self.asked = []
        self.answers = []

    def add(self, job_id="j1", document=None, number=1, status="QUEUED", details=None):
        one = {"jobId": job_id, "executionNumber": number, "versionNumber": 1, "status": status}
        one["statusDetails"] = details or {}
        one["jobDocument"] = {"action": "blink"} if document is None else document
        self.executions.append(one)
        return one

    async def ask(self, topic, request, timeout_ms=10000, tries=4):
        topic = topic[len(PREFIX) :]
        self.asked.append((topic, dict(request)))
        await asyncio.sleep_ms(0)
        for item in self.answers:
            if item[0] == topic and (len(item) < 3 or item[2] == request.get("status")):
                self.answers.remove(item)
                if item[1] == "lost":  # it is done, but the answer does not come
                    self.answer(topic, request)
                    raise ServiceError("Timeout", topic)
                raise item[1]
        return self.answer(topic, request)

    def answer(self, topic, request):
        job_id, _, what = topic.partition("/")
        if job_id == "$next":
            pending = [one for one in self.executions if one["status"] not in ENDED]
            pending = [one for one in pending if one["status"] == "IN_PROGRESS"] or pending
            if not pending:
                return {}
            one = dict(pending[0])
            if request.get("includeJobDocument") is False:
                del one["jobDocument"]
            elif one["jobDocument"] == "huge":
                raise ServiceError("TooLarge", topic)
            return {"execution": one}
        found = [one for one in self.executions if one["jobId"] == job_id]
        one = next(one for one in found if one["executionNumber"] == request["executionNumber"])
        if what == "get":
            return {"execution": {"status": one["status"]}}
        state = {"status": one["status"], "versionNumber": one["versionNumber"]}
        if request.get("expectedVersion", one["versionNumber"]) != one["versionNumber"]:
            raise ServiceError("VersionMismatch", "", {"executionState": state})
        if one["status"] in ENDED:
            raise ServiceError("InvalidStateTransition", "", {"executionState": state})
        one["versionNumber"] += 1
        one["status"] = request["status"]
        one["statusDetails"] = request.get("statusDetails", one["statusDetails"])
        return {}

    def put(self, topic, payload):
        return False  # it was no answer to a request

    def updates(self, job_id="j1"):
        return [request for topic, request in self.asked if topic == job_id + "/update"]


class Application:
    leaving = False
    error = None


class Settings:
    PACKET_LIMIT = 3072

    def __init__(self):
        self.REPORTS = {}


class Bench:
    """A device's jobs: it is the system and the thing, too."""

    def __init__(self):
        self.log = Log()
        self.application = Application()
        self.settings = Settings()
        self.thing = self
        self.cloud = Cloud()
        self.turns = []
        self.ran = []
        self.tasks, self.works = {}, []
        self.stored = {"set": 1}
        self.nvs = FakeNVS()
        self.jobs = self.fresh()

    def fresh(self):
        """The jobs of a new life."""
        jobs = Jobs("lamp", None, self)
        jobs.requests = self.cloud
        jobs.need_requests()
        jobs.on("blink", self.blink)
        return jobs

    def run(self, coroutine):
        if self.application.leaving:
            coroutine.close()
            raise RuntimeError("the application is being ended")
        self.works.append(asyncio.create_task(coroutine))
        return self.works[-1]

    async def ended(self, name):
        task = self.tasks.pop(name)
        await araises(asyncio.CancelledError, "", task)

    def restart(self, reason):
        self.turns.append(reason)

    def turn(self, event, reason):
        self.turns.append(event)

    def blink(self, job):
        self.ran.append((job.id, job.document))

    async def do(self):
        await module.run(self.jobs, "iot.aws")
        assert self.jobs.job is None

    async def until(self, condition):
        for _ in range(20_000):
            if condition():
                return
            await asyncio.sleep_ms(1)
        raise AssertionError(self.log.lines)

    async def one(self, handler, timeout_min=0, **members):
        """Does one job by that handler; returns the execution, as it has ended."""
        self.jobs.on("blink", handler, timeout_min)
        one = self.cloud.add(**members)
        await self.do()
        return one


async def test_a_job_from_its_offer_to_its_end():
    b = Bench()
    one = b.cloud.add(document={"action": "blink", "times": 3})
    await b.do()
    assert one["status"] == "SUCCEEDED" and b.ran == [("j1", {"action": "blink", "times": 3})]
    assert b.cloud.updates() == [
        {"status": "IN_PROGRESS", "executionNumber": 1, "expectedVersion": 1},
        {"status": "SUCCEEDED", "executionNumber": 1},
    ]
    assert [topic for topic, _ in b.cloud.asked] == ["$next/get", "j1/update", "j1/update", "$next/get"]


async def test_one_after_another_until_none_waits():
    b = Bench()
    for number in range(5):
        b.cloud.add("j{}".format(number))
    await b.do()
    assert [job_id for job_id, _ in b.ran] == ["j0", "j1", "j2", "j3", "j4"]
    assert {one["status"] for one in b.cloud.executions} == {"SUCCEEDED"}


async def test_a_retry_has_the_same_id_and_is_taken_again():
    b = Bench()
    for number in (1, 2, 3):
        b.cloud.add(number=number)
    await b.do()
    assert len(b.ran) == 3 and [one["status"] for one in b.cloud.executions] == ["SUCCEEDED"] * 3


async def test_the_time_limit_goes_to_the_cloud():
    b = Bench()
    await b.one(b.blink, 5)
    assert b.cloud.updates()[0]["stepTimeoutInMinutes"] == 5


async def test_what_handlers_return():
    class Rubbish:
        def __str__(self):
            raise OSError("no text")

    async def later(result):
        await asyncio.sleep_ms(1)
        return result

    for result, details in (
        ({"a": 1, "b c": True}, {"a": "1", "b_c": "True"}),
        ({}, {}),
        (None, {}),
        (7, {}),
        ("text", {}),
        ([1], {}),
        (Rubbish(), {}),
    ):
        for handler in (lambda job, r=result: r, lambda job, r=result: later(r)):
            one = await Bench().one(handler)
            assert one["status"] == "SUCCEEDED" and one["statusDetails"] == details
    one = await Bench().one(lambda job: {"x": Rubbish()})
    assert one["status"] == "FAILED" and one["statusDetails"]["message"] == "no text"


async def test_what_handlers_raise():
    class Own(BaseException):
        pass

    for error in (
        KeyError("pear"),
        SystemExit(),
        Own("\0\n\x7f" * 99),
        MemoryError(),
        ValueError("é" * 5000),
    ):

        async def handler(job, error=error):
            raise error

        one = await Bench().one(handler)
        details = one["statusDetails"]
        assert one["status"] == "FAILED" and details["type"] == type(error).__name__
        assert "test_job.py:" in details["place"] and len(details.get("message", "")) <= 1024


async def test_a_handler_that_cancels_itself():
    async def handler(job):
        raise asyncio.CancelledError

    one = await Bench().one(handler)
    assert one["status"] == "FAILED" and "by the application" in one["statusDetails"]["message"]


async def test_a_job_that_is_rejected_by_its_handler():
    async def swallows(job):
        try:
            job.reject("no lamp")
        except Exception:
            return {"a": 1}

    for handler in (lambda job: job.reject("no lamp"), swallows):
        one = await Bench().one(handler)
        assert one["status"] == "REJECTED" and one["statusDetails"] == {"reason": "no lamp"}


async def test_progress_is_bounded_in_rate_and_the_newest_wins():
    b = Bench()

    async def handler(job):
        for percent in range(50):
            await job.progress(percent, color="red")
        await b.until(lambda: len(b.cloud.updates()) == 2)
        for percent in range(50, 100):
            await job.progress(percent)
        await asyncio.sleep_ms(20)
        assert len(b.cloud.updates()) == 2
        b.log.now_ms += 5000
        await job.progress(100)
        await b.until(lambda: len(b.cloud.updates()) == 3)
        await job.progress(7)
        return {"times": 3}

    one = await b.one(handler)
    assert one["statusDetails"] == {"percent": "7", "times": "3"}, b.log.lines
    told = [update["statusDetails"] for update in b.cloud.updates()[1:]]
    assert told[0]["color"] == "red" and told[1] == {"percent": "100"}
    assert [update["status"] for update in b.cloud.updates()] == ["IN_PROGRESS"] * 3 + ["SUCCEEDED"]


async def test_an_outcome_is_told_until_it_is_taken():
    b = Bench()
    throttled, strange = ServiceError("RequestThrottled", ""), ServiceError("InvalidRequest", "a character")
    b.cloud.answers = [("j1/update", error, "SUCCEEDED") for error in (throttled, "lost", strange)]
    b.cloud.answers[1] = "j1/update", ServiceError("Timeout", ""), "SUCCEEDED"
    one = await b.one(lambda job: {"a": 1})
    assert one["status"] == "SUCCEEDED" and one["statusDetails"] == {}
    assert ["statusDetails" in update for update in b.cloud.updates()[1:]] == [True, True, True, False]


async def test_an_outcome_whose_answer_is_lost_is_told_once_more():
    b = Bench()
    b.cloud.answers = [("j1/update", "lost", "SUCCEEDED")]
    one = await b.one(b.blink)
    assert one["status"] == "SUCCEEDED" and len(b.ran) == 1 and len(b.cloud.updates()) == 3


async def test_progress_that_is_not_taken_is_in_the_next_word():
    for error in (ServiceError("Timeout", ""), ValueError("larger than the outbox"), "lost"):
        b = Bench()

        async def handler(job, b=b):
            await job.progress(9)
            await b.until(lambda: len(b.cloud.updates()) == 2)
            b.cloud.answers = []

        b.cloud.answers = [("j1/update", error, "IN_PROGRESS")]
        b.cloud.answers.insert(
            0, ("j1/update", ServiceError("VersionMismatch", "", IN_PROGRESS), "IN_PROGRESS")
        )
        one = await b.one(handler)
        assert one["statusDetails"] == {"percent": "9"}, b.log.lines


async def test_a_job_that_the_cloud_cancels():
    for status in ("CANCELED", "TIMED_OUT"):
        b = Bench()
        cleaned = []

        async def handler(job, b=b, status=status, cleaned=cleaned):
            b.cloud.executions[0]["status"] = status
            b.jobs._put((PREFIX + "notify-next", b'{"timestamp": 1}'))
            try:
                await asyncio.sleep_ms(100_000)
            finally:
                await asyncio.sleep_ms(60)
                cleaned.append(1)

        one = await b.one(handler)
        assert one["status"] == status and cleaned == [1] and len(b.cloud.updates()) == 1
        assert "cancelled, or its time is over" in b.log.lines[-1]


async def test_a_job_that_is_cancelled_makes_room_for_the_next():
    b = Bench()

    async def handler(job):
        b.ran.append(job.id)
        if job.id == "j1":
            b.cloud.executions[0]["status"] = "CANCELED"
            b.cloud.add("j2")
            b.jobs._put((PREFIX + "notify-next", b'{"execution": {"jobId": "j2"}}'))
            await asyncio.sleep_ms(100_000)

    await b.one(handler)
    assert b.ran == ["j1", "j2"] and b.cloud.executions[1]["status"] == "SUCCEEDED"


async def test_what_the_cloud_says_too_late_cancels_nothing():
    b = Bench()

    async def handler(job):
        for payload in (b'{"timestamp": 1}', b'{"execution": {"jobId": "j0"}}', None, b"\xff", b"[" * 500):
            b.jobs._put((PREFIX + "notify-next", payload))
            await asyncio.sleep_ms(5)
        b.jobs._put((PREFIX + "$next/get/accepted", b"{}"))
        await b.until(lambda: len(b.cloud.asked) > 4)

    one = await b.one(handler)
    assert one["status"] == "SUCCEEDED"


async def test_an_answer_that_comes_twice_starts_no_endless_talk():
    b = Bench()

    async def handler(job):
        for topic in ("j1/get/accepted", "j1/update/accepted", "j1/update/rejected"):
            b.jobs._put((PREFIX + topic, b'{"execution": {"jobId": "j1"}}'))
        await asyncio.sleep_ms(20)

    await b.one(handler)
    assert len(b.cloud.asked) == 4 and not b.jobs._due.is_set()


async def test_a_refused_progress_shows_that_it_is_over():
    b = Bench()

    async def handler(job):
        b.cloud.executions[0]["status"] = "CANCELED"
        await job.progress(1)
        await asyncio.sleep_ms(100_000)

    one = await b.one(handler)
    assert one["status"] == "CANCELED" and b.works[0].done()


async def test_a_handler_that_runs_for_ever_ends_with_its_time():
    b = Bench()

    async def handler(job):
        b.log.now_ms += 5 * MINUTE_MS + 1
        job.execution.wake.set()
        await asyncio.sleep_ms(100_000)

    one = await b.one(handler, 5)
    assert one["status"] == "FAILED" and one["statusDetails"] == {"message": "not done within 5 min"}


async def test_a_handler_that_will_not_be_cancelled():
    b = Bench()
    leave = []

    async def handler(job):
        b.cloud.executions[0]["status"] = "CANCELED"
        job.execution.changed()
        while not leave:
            try:
                await asyncio.sleep_ms(100_000)
            except asyncio.CancelledError:
                pass

    await b.one(handler)
    assert any("its handler does not end" in line for line in b.log.lines)
    leave.append(1)
    b.works[0].cancel()


async def test_the_application_ends():
    b = Bench()

    async def handler(job):
        await asyncio.sleep_ms(100_000)

    async def end():
        await b.until(lambda: b.works)
        await asyncio.sleep_ms(5)
        b.application.leaving, b.application.error = True, KeyError("pear")
        b.works[0].cancel()

    b.ending = asyncio.create_task(end())
    one = await b.one(handler)
    assert one["status"] == "FAILED" and "application has ended: " in one["statusDetails"]["message"]


async def test_the_application_ends_before_the_handler_begins():
    b = Bench()
    one = b.cloud.add()
    run = b.run

    def ending(coroutine):
        task = run(coroutine)
        b.application.leaving, b.application.error = True, KeyError("pear")
        task.cancel()
        return task

    b.run = ending
    await b.do()
    assert one["status"] == "FAILED" and "application has ended" in one["statusDetails"]["message"]
    b.run = run
    b.application.leaving = True
    two = b.cloud.add("j2")
    await b.do()
    assert two["status"] == "FAILED" and not b.ran
    assert two["statusDetails"] == {"message": "the application is being ended"}


async def test_jobs_that_nobody_knows():
    for document, reason, known in (
        ({"action": "dance"}, "unknown action dance", "OTA, blink, configure, factory-reset, log, reboot"),
        ({"action": "\0" * 3000}, "unknown action   ", "OTA, blink, configure, factory-reset, log, reboot"),
        ({"action": 7}, "the document is neither", None),
        ([], "the document is neither", None),
        ({"steps": [step("blink"), step("dance")]}, "unknown action dance", "OTA, blink"),
        ({"steps": [step("reboot"), step("blink")]}, "no step can follow", None),
    ):
        b = Bench()
        one = b.cloud.add(document=document)
        doing = asyncio.create_task(b.do())
        while not doing.done():
            await asyncio.sleep_ms(5)
            b.log.now_ms += 20_000  # nor does an application that is late
            if b.jobs.job:
                b.jobs.job.wake.set()
        assert one["status"] == "REJECTED" and not b.ran
        assert one["statusDetails"]["reason"].startswith(reason)
        assert one["statusDetails"].get("known", "").startswith(known or "")


def step(handler):
    return {"action": {"name": "x", "type": "runHandler", "input": {"handler": handler + ".sh", "path": "p"}}}


async def test_steps_are_done_one_after_another():
    b = Bench()
    one = b.cloud.add(document={"steps": [step("blink"), step("blink")]})
    await b.do()
    assert one["status"] == "SUCCEEDED"
    assert b.ran == [("j1", {"handler": "blink.sh", "path": "p"})] * 2

    def fails(job):
        b.ran.append(job.id)
        raise ValueError("pear")

    b.jobs.on("fails", fails)
    two = b.cloud.add("j2", {"steps": [step("fails"), step("blink")]})
    await b.do()
    assert two["status"] == "FAILED" and len(b.ran) == 3


async def test_an_application_that_comes_late_is_waited_for():
    b = Bench()
    b.jobs.handlers.clear()
    b.application.leaving = True
    one = b.cloud.add()
    doing = asyncio.create_task(b.do())
    await b.until(lambda: b.jobs.job)
    for _ in range(10):
        b.log.now_ms += 20_000
        await asyncio.sleep_ms(5)
        b.jobs.job.wake.set()
    assert one["status"] == "QUEUED"
    b.jobs.on("blink", b.blink)
    b.application.leaving = False
    b.jobs.job.wake.set()
    await doing
    assert one["status"] == "SUCCEEDED"


async def test_a_job_that_is_cancelled_while_nobody_does_it():
    b = Bench()
    b.jobs.handlers.clear()
    b.cloud.add()
    doing = asyncio.create_task(b.do())
    await b.until(lambda: b.jobs.job)
    b.cloud.executions[0]["status"] = "CANCELED"
    b.jobs._put((PREFIX + "notify-next", b"{}"))
    await doing
    assert not b.cloud.updates()


async def test_a_document_that_is_too_large():
    b = Bench()
    one = b.cloud.add(document="huge")
    await b.do()
    assert one["status"] == "REJECTED" and "over 3072 bytes" in one["statusDetails"]["reason"]


async def test_a_job_that_a_restart_has_interrupted():
    b = Bench()
    one = b.cloud.add(status="IN_PROGRESS", details={"percent": "40"})
    await b.do()
    assert one["status"] == "FAILED" and not b.ran
    assert one["statusDetails"] == {"message": "interrupted by a restart"}
    two = b.cloud.add("j2", "huge", status="IN_PROGRESS")
    await b.do()
    assert two["status"] == "FAILED" and not b.ran


IN_PROGRESS = {"executionState": {"status": "IN_PROGRESS", "versionNumber": 2}}


async def test_a_start_whose_answer_is_lost():
    b = Bench()
    b.cloud.answers = [("j1/update", "lost")]
    one = b.cloud.add()
    await araises(ServiceError, "Timeout", module.run(b.jobs, "iot.aws"))
    assert one["status"] == "IN_PROGRESS" and not b.ran and b.jobs.job is None
    await b.do()  # the same life goes on
    assert one["status"] == "SUCCEEDED" and len(b.ran) == 1


async def test_a_start_that_was_done_at_an_earlier_try():
    b = Bench()
    b.cloud.answers = [("j1/update", ServiceError("VersionMismatch", "", IN_PROGRESS))]
    one = await b.one(b.blink)
    assert one["status"] == "SUCCEEDED" and len(b.ran) == 1


async def test_a_start_that_is_refused():
    ended = {"executionState": {"status": "CANCELED"}}

    async def refused_by(error):
        b = Bench()
        b.cloud.answers = [("j1/update", error)] * 5
        one = b.cloud.add()
        await b.do()
        assert one["status"] == "QUEUED" and not b.ran
        assert len(b.cloud.updates()) == 3

    # Each waits two seconds between its tries.
    await asyncio.gather(
        refused_by(ServiceError("VersionMismatch", "", ended)),
        refused_by(ServiceError("InvalidStateTransition", "", ended)),
        refused_by(ServiceError("InvalidRequest", "")),
        refused_by(ServiceError(None, None, {})),
    )


async def test_a_cloud_that_offers_what_has_ended():
    b = Bench()
    one = b.cloud.add()
    honest = b.cloud.answer

    def stale(topic, request):
        if topic == "$next/get":
            return {"execution": dict(one, status="QUEUED", versionNumber=1)}
        return honest(topic, request)

    b.cloud.answer = stale
    await b.do()
    assert one["status"] == "SUCCEEDED" and len(b.ran) == 1


async def test_a_reboot_is_finished_by_the_next_life():
    b = Bench()
    one = b.cloud.add(document={"action": "reboot"})
    doing = asyncio.create_task(module.run(b.jobs, "iot.aws"))
    await b.until(lambda: b.turns)
    assert b.turns == ["job j1"] and one["status"] == "IN_PROGRESS"
    doing.cancel()
    await araises(asyncio.CancelledError, "", doing)
    b.jobs = b.fresh()
    await b.do()
    assert one["status"] == "SUCCEEDED" and len(b.turns) == 1


async def test_a_reboot_that_is_cancelled_in_time():
    b = Bench()
    one = b.cloud.add(document={"action": "reboot"})
    b.cloud.answers = [("j1/update", ServiceError("VersionMismatch", "", IN_PROGRESS), "IN_PROGRESS")]
    honest = b.cloud.answer

    def cancelled(topic, request):
        if topic == "j1/update":
            one["status"] = "CANCELED"
        return honest(topic, request)

    b.cloud.answer = cancelled
    doing = asyncio.create_task(b.do())
    await b.until(lambda: one["status"] == "CANCELED")
    b.jobs._put((PREFIX + "notify-next", b"{}"))
    await doing
    assert not b.turns


async def test_a_factory_reset_is_told_before():
    b = Bench()
    one = b.cloud.add(document={"action": "factory-reset"})
    await b.do()
    assert one["status"] == "SUCCEEDED" and b.turns == ["factory_reset"]
    b = Bench()
    b.cloud.add(document={"action": "factory-reset"})
    ended = ServiceError("InvalidStateTransition", "")
    b.cloud.answers = [("j1/update", ended, "SUCCEEDED")]
    await b.do()
    assert not b.turns


async def test_the_level_of_the_log():
    b = Bench()
    one = b.cloud.add(document={"action": "log", "level": "debug", "minutes": 5})
    await b.do()
    assert one["status"] == "SUCCEEDED" and b.log.level == ("debug", 5)
    await asyncio.sleep_ms(0)
    first = b.tasks["log_lines"]
    assert b.log.drained == "debug" and not first.done()
    b.cloud.add("j3", {"action": "log", "level": "info", "minutes": 5})
    await b.do()
    await asyncio.sleep_ms(0)
    assert b.log.drained == "info" and first.done() and b.tasks["log_lines"] is not first
    for members in (
        {"level": "loud"},
        {},
        {"level": "debug", "minutes": 0},
        {"level": "debug", "minutes": "x"},
    ):
        one = b.cloud.add("j2", dict(members, action="log"), number=len(b.cloud.executions))
        await b.do()
        assert one["status"] == "REJECTED" and one["statusDetails"]["reason"]
    b.tasks["log_lines"].cancel()
    await b.ended("log_lines")
    assert b.log.drained == "error"


async def test_a_configuration_is_told_of_by_the_next_life():
    for number, why, expected in (
        (0, None, None),
        (1, "Wi-Fi was never reached", "the old configuration goes on: Wi-Fi was never reached"),
        (1, None, "the old configuration goes on: interrupted"),
    ):
        b = Bench()
        one = b.cloud.add(
            document={"action": "configure"}, status="IN_PROGRESS", details={"iot-restarts": "set1"}
        )
        b.stored = {"set": number}
        if why:
            probation.keep_reason(b.nvs, why)
        await b.do()
        assert one["status"] == ("FAILED" if expected else "SUCCEEDED")
        assert one["statusDetails"].get("message") == expected


async def test_a_configuration_that_is_none():
    for document in ({"action": "configure"}, {"action": "configure", "config": "wifi"}):
        b = Bench()
        one = b.cloud.add(document=document)
        await b.do()
        assert one["status"] == "REJECTED" and one["statusDetails"]["reason"] == "config: not a JSON object"


async def test_an_application_s_own_action_takes_the_place_of_a_built_in_one():
    b = Bench()
    b.jobs.on("reboot", b.blink)
    one = b.cloud.add(document={"action": "reboot"})
    await b.do()
    assert one["status"] == "SUCCEEDED" and len(b.ran) == 1 and not b.turns


async def test_jobs_go_on_after_an_error():
    b = Bench()
    lines = b.log.lines
    b.jobs.client = b
    b.connected = False
    b.subscribe = lambda *args: None
    b.cloud.answers = [("$next/get", ServiceError("Timeout", "pear"))]
    running = asyncio.create_task(b.jobs.run())
    b.jobs._put((PREFIX + "$next/get/accepted", NOTICE))
    await b.until(lambda: lines)
    assert "tries again: Timeout: pear" in lines[0] and not running.done()
    running.cancel()
    await araises(asyncio.CancelledError, "", running)


NOTICE = (
    b'{"timestamp": 1764380000, "execution": {"jobId": "j1", "status": "QUEUED", "queuedAt": 1764379999}}'
)


def test_what_tells_of_a_job():
    some, none = NOTICE, b'{"timestamp": 1764380000, "clientToken": "0123456789"}'
    for topic, payload, is_due in (
        ("notify-next", some, True),
        ("notify-next", none, False),
        ("notify-next", None, True),
        ("$next/get/accepted", some, True),
        ("$next/get/accepted", None, True),
        ("$next/get/accepted", none, False),
        ("$next/get/rejected", none, True),  # the cloud had no time
        ("j1/get/accepted", some, False),
        ("j1/update/rejected", none, False),
    ):
        b = Bench()
        b.jobs._put((PREFIX + topic, payload))
        assert b.jobs._due.is_set() == is_due, topic
