"""What a job of an update says to NORMAL, which has no room for its document, and when one may begin."""

import json

from check import raises
from iot.ota import request

NOW_S = 1_764_380_000  # 01:33:20


def notice(document, job_id="j1", blank=""):
    text = json.dumps({"execution": {"jobId": job_id, "status": "QUEUED", "jobDocument": document}})
    return memoryview(text.replace(": ", ":" + blank).encode())


def test_an_update_is_known_by_its_action():
    for blank in ("", " ", "  "):
        assert request.job_id(notice({"action": "OTA", "url": "x" * 2000}, "a-b_1", blank)) == "a-b_1"
    for document in (
        {},
        {"action": "blink"},
        {"action": "OTAS"},
        {"action": "blink", "what": "OTA"},
        {"what": {"OTA": 1}},
        {"actions": "OTA"},
    ):
        assert request.job_id(notice(document)) is None
    for text in (b"", b"{}", b'"OTA"', b'"action":"OTA"', b'"action":"OTA","jobId":', b'"jobId":"\n'):
        assert request.job_id(memoryview(text)) is None


def test_wherever_it_stands():
    for before in range(0, 600, 7):
        found = memoryview(b" " * before + b'{"jobId": "j1", "jobDocument": {"action": "OTA"}}' + b" " * 300)
        assert request.job_id(found) == "j1"


def test_hours():
    for hours, wait_s in (
        (None, 0),
        ((1, 2), 0),
        ((0, 24), 0),
        ((22, 2), 0),
        ((22, 1), 20 * 3600 + 26 * 60 + 40),
        ((2, 5), 26 * 60 + 40),
        ((0, 1), 22 * 3600 + 26 * 60 + 40),
        ((1, 1), 23 * 3600 + 26 * 60 + 40),
    ):
        assert request.seconds_to(hours, NOW_S) == wait_s, hours
        assert request.seconds_to(hours, NOW_S + wait_s) == 0 or hours == (1, 1)


def test_what_a_document_has_to_have():
    whole = {"action": "OTA", "manifest": "m", "signatures": ["a:b"], "url": "https://a/b"}
    assert request.order(whole) == {"text": "m", "signatures": ["a:b"], "url": "https://a/b", "again": False}
    root = {"root": "r", "signatures": []}
    assert request.order(root) == {"text": "r", "signatures": [], "url": "", "again": False}
    for name, value in (
        ("manifest", 7),
        ("signatures", None),
        ("signatures", "a:b"),
        ("url", "http://a/b"),
        ("url", None),
    ):
        raises(ValueError, "", request.order, dict(whole, **{name: value}))
