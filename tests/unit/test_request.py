"""What a job of an update asks for, read from its document."""

from check import raises
from iot.ota import request

MANIFEST = {"action": "OTA", "manifest": "iot-update 1\n", "signatures": ["1f2e3d4c:MEUC"]}
URL = "https://releases.s3.example/a?X-Amz-Signature=pear"


def order(**members):
    return request.order(dict(MANIFEST, **members))


def test_a_file_by_its_url_or_by_a_stream():
    found = order(url=URL)
    assert (found["text"], found["signatures"]) == ("iot-update 1\n", ["1f2e3d4c:MEUC"])
    assert (found["url"], found["stream"], found["again"]) == (URL, None, False)
    found = order(stream={"id": "release-1", "file": 0}, again=True)
    assert (found["url"], found["stream"], found["again"]) == ("", ["release-1", 0], True)


def test_a_patch_is_taken_where_it_leads_to_the_file_and_else_the_file_itself():
    patch = {"base": "1.0.0", "size": 900, "url": URL}
    assert order(url=URL, delta=dict(patch, more=1))["delta"] == patch
    for wrong in (7, [], {"base": 1}, {"size": 0}, {"size": "9"}, {"url": None}, {"url": "http://a/b"}):
        delta = dict(patch, **wrong) if isinstance(wrong, dict) else wrong
        found = order(url=URL, delta=delta)
        assert found["url"] == URL and "delta" not in found, wrong
    found = order(stream={"id": "release-1", "file": 0}, delta=patch)
    assert "delta" not in found, "it comes by HTTPS"


def test_a_root_has_neither():
    found = request.order({"action": "OTA", "root": "iot-root 1\n", "signatures": []})
    assert (found["text"], found["url"], found["stream"]) == ("iot-root 1\n", "", None)


def test_what_is_no_order():
    for text, members in (
        ("url", {}),
        ("url", {"url": "http://releases.example/a"}),
        ("url", {"url": 7}),
        ("stream", {"stream": None}),
        ("stream", {"stream": "release-1"}),
        ("stream", {"stream": {"id": "release-1"}}),
        ("stream", {"stream": {"id": "release-1", "file": True}}),
        ("stream", {"stream": {"id": "release-1", "file": 256}}),
        ("stream", {"stream": {"id": "release-1", "file": -1}}),
        ("stream", {"stream": {"id": "a/../#", "file": 0}}),
        ("stream", {"stream": {"id": "", "file": 0}, "url": URL}),
        ("manifest or a root", {"url": URL, "manifest": None}),
        ("manifest or a root", {"url": URL, "manifest": ["iot-update 1\n"]}),
        ("manifest or a root", {"url": URL, "signatures": "1f2e3d4c:MEUC"}),
        ("afr_ota", {"afr_ota": []}),
    ):
        error = raises(ValueError, text, request.order, dict(MANIFEST, **members))
        assert "pear" not in str(error)
