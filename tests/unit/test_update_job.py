"""What a job of an update says to NORMAL, which has no room for its document, and when one may begin."""

import json

from fakes import FakeLog
from iot.aws import update_job
from iot.work import update

FOUND = "j1", 3
NOW_S = 1_764_380_000  # 01:33:20


def notice(document, job_id="j1", blank=""):
    text = json.dumps({"execution": {"jobId": job_id, "executionNumber": 3, "jobDocument": document}})
    return memoryview(text.replace(": ", ":" + blank).encode())


def test_an_update_is_known_by_its_action():
    for blank in ("", " ", "  "):
        assert update_job.job(notice({"action": "OTA", "url": "x" * 2000}, "a-b_1", blank)) == ("a-b_1", 3)
    for document in (
        {},
        {"action": "blink"},
        {"action": "OTAS"},
        {"action": "blink", "what": "OTA"},
        {"what": {"OTA": 1}},
        {"actions": "OTA"},
    ):
        assert update_job.job(notice(document)) is None
    for text in (
        b"",
        b"{}",
        b'"OTA"',
        b'"action":"OTA"',
        b'"action":"OTA","jobId":',
        b'"action":"OTA","jobId":"',
    ):
        assert update_job.job(memoryview(text)) is None
    assert update_job.job(memoryview(b'"action":"OTA","jobId":"a","executionNumber":"x"}')) == ("a", None)
    assert update_job.job(memoryview(b'"action":"OTA","jobId":"a"}')) == ("a", None)


def test_wherever_it_stands():
    text = b'{"jobId": "j1", "jobDocument": {"action": "OTA"}, "executionNumber": 12}'
    for before in range(0, 600, 7):
        assert update_job.job(memoryview(b" " * before + text + b" " * 300)) == ("j1", 12)


def test_hours():
    for hours, wait_s in (
        (None, 0),
        ((1, 2, 0, 0), 0),
        ((0, 24, 0, 0), 0),
        ((22, 2, 0, 0), 0),
        ((3, 4, 120, 0), 0),
        ((22, 1, 0, 0), 20 * 3600 + 26 * 60 + 40),
        ((2, 5, 0, 0), 26 * 60 + 40),
        ((0, 1, 0, 0), 22 * 3600 + 26 * 60 + 40),
        ((1, 1, 0, 0), 23 * 3600 + 26 * 60 + 40),
    ):
        assert update._seconds_to(hours, NOW_S) == wait_s, hours
        assert update._seconds_to(hours, NOW_S + wait_s) == 0 or hours[0] == hours[1]


def test_aws_s_own_jobs_are_updates():
    for notice in (
        b'{"execution":{"jobId":"u-1","jobDocument":{"afr_ota":{"protocols":["MQTT"]}}}}',
        b'{"execution": {"jobId": "u-1", "jobDocument": {"afr_ota": {"protocols": ["MQTT"]}}}}',
    ):
        assert update_job.job(memoryview(notice)) == ("u-1", None)
    other = b'{"execution":{"jobId":"OTA","jobDocument":{"action":"reboot"}}}'
    assert update_job.job(memoryview(other)) is None


class Jobs:
    """Jobs, the System, its settings and the application; what waits is over at once, and told.

    minutes: what `before_update` returns each time.
    """

    def __init__(self, hours, minutes):
        self.update = FOUND
        self.UPDATE_HOURS = hours
        self.system = self.settings = self
        self.log = FakeLog()
        self.thing = "thing"
        self.minutes = minutes
        self.asked = self.now_s = 0
        self.waits_s = []
        self.next = FOUND

    def load_application(self):
        return self

    async def before_update(self, thing):
        assert thing == "thing"
        self.asked += 1
        return self.minutes

    async def changed(self, found):
        assert found == FOUND
        self.update = self.next
        return True

    # In the place of `time`, `random` and `within`.

    def time(self):
        return NOW_S + self.now_s

    def randint(self, first, last):
        assert first == 0
        return last // 2

    async def within(self, timeout_ms, coroutine):
        if await coroutine:  # else it is the application that is asked
            self.waits_s.append(timeout_ms // 1000)
            self.now_s += timeout_ms // 1000
        return True

    async def made_ready(self):
        before = update.time, update.random, update.within
        update.time, update.random, update.within = self, self, self.within
        try:
            return await update.make_ready(self, lambda: self.update == FOUND, lambda: self.changed(FOUND))
        finally:
            update.time, update.random, update.within = before


async def test_nothing_is_waited_for_where_nobody_asks_for_it():
    for hours, minutes in ((None, 0), (None, None), (None, -5), (None, "pear"), ((1, 2, 0, 0), 0)):
        jobs = Jobs(hours, minutes)
        assert await jobs.made_ready() and jobs.asked == 1 and jobs.waits_s == []


async def test_each_device_waits_a_part_of_the_spread_behind_the_hour():
    for hours, wait_s in (((1, 2, 0, 1800), 900), ((2, 5, 0, 1800), 1600 + 900), ((2, 5, 0, 0), 1600)):
        jobs = Jobs(hours, 0)
        assert await jobs.made_ready() and jobs.waits_s == [wait_s] and jobs.asked == 1


async def test_the_application_may_put_it_off_for_a_day_in_all():
    jobs = Jobs(None, 30)
    assert await jobs.made_ready() and jobs.waits_s == [1800] * 48 and jobs.asked == 48


async def test_a_job_that_is_over_meanwhile_is_not_begun():
    for next_one in (None, ("j2", 1), ("j1", 4)):
        jobs = Jobs((2, 5, 0, 0), 0)
        jobs.next = next_one
        assert await jobs.made_ready() is False and not jobs.asked
