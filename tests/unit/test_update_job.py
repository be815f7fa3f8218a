"""What a job of an update says to NORMAL, which has no room for its document, and when one may begin."""

import json

from iot.aws import update_job

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
        assert update_job._seconds_to(hours, NOW_S) == wait_s, hours
        assert update_job._seconds_to(hours, NOW_S + wait_s) == 0 or hours[0] == hours[1]


def test_aws_s_own_jobs_are_updates():
    for notice in (
        b'{"execution":{"jobId":"u-1","jobDocument":{"afr_ota":{"protocols":["MQTT"]}}}}',
        b'{"execution": {"jobId": "u-1", "jobDocument": {"afr_ota": {"protocols": ["MQTT"]}}}}',
    ):
        assert update_job.job(memoryview(notice)) == ("u-1", None)
    other = b'{"execution":{"jobId":"OTA","jobDocument":{"action":"reboot"}}}'
    assert update_job.job(memoryview(other)) is None
