"""What jobs ask for in their two forms, and what is told within AWS's bounds, whatever it is made of."""

import json

from check import raises
from iot.work import documents
from iot.work.documents import details, failure, name, place, steps, text

NEITHER = 'neither {"action": …} nor steps'
PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


def step(handler, kind="runHandler", **members):
    members["handler"] = handler
    return {"action": {"name": "x", "type": kind, "input": members, "runAsUser": "user1"}}


def test_the_form_of_the_house():
    document = {"action": "blink", "times": 3}
    assert steps(document) == [("blink", document)]
    assert steps({"action": ""}) == [("", {"action": ""})]


def test_the_form_of_managed_templates():
    document = {
        "version": "1.0",
        "steps": [step("reboot.sh", args=["5"], path="default"), step("blink")],
    }
    one, two = steps(document)
    assert one == ("reboot", {"handler": "reboot.sh", "args": ["5"], "path": "default"})
    assert two == ("blink", {"handler": "blink"})
    raises(ValueError, "a step of the type runCommand", steps, {"steps": [step("ls", "runCommand")]})
    raises(ValueError, "a step of the type ", steps, {"steps": [step("ls", ["\n"] * 500)]})


def test_documents_of_neither_form():
    strange = [None, True, 1, 1.5, "", "action", "x action y", [], ["action"], {}, {"action": None}]
    strange += [{"action": ["blink"]}, {"action": {}}, {"steps": None}, {"steps": []}, {"steps": {}}]
    strange += [{"steps": 7}, {"steps": [7]}, {"steps": [{}]}, {"steps": [{"action": "blink"}]}]
    strange += [{"steps": [{"action": {"type": "runHandler"}}]}, {"steps": [step(None)]}, {"steps": [[]]}]
    for document in strange:
        raises(ValueError, NEITHER, steps, document)


def test_texts_have_no_control_characters_and_an_end():
    assert text("a\0b\x1fc\x7fd\x85e\nf", 20) == "a b c d e f"
    assert text("", 5) == "-" and text(None, 5) == "None" and text(1.5, 3) == "1.5"
    assert text("é…中", 2) == "é…"
    assert text("x" * 2000, 1024) == "x" * 1024
    for value in ('"' * 2000, "\\" * 2000, "中" * 2000, "\n" * 2000):
        found = text(value, 1024)
        assert len(found) > 100 and len(json.dumps(found).encode()) <= 1200


def test_names():
    assert name("a b:c/é", 20) == "a_b_c__" and name("", 5) == "_" and name("abc", 2) == "ab"
    assert name(PLAIN, 128) == PLAIN


def test_details_keep_to_the_bounds():
    assert details({}) == {}
    assert details({"percent": 40, "on": True, 1: None}) == {"percent": "40", "on": "True", "1": "None"}
    assert len(details({str(i): i for i in range(20)})) == 10
    hostile = {"k" * 500: "v" * 5000, "é" * 500: "\0" * 5000, '"': '"' * 5000, "": ""}
    for values in (hostile, {str(i): "中" * 1024 for i in range(10)}):
        found = details(values)
        assert 0 < len(json.dumps(found).encode()) < 1400
        for key, value in found.items():
            assert 1 <= len(key) <= 128 and 1 <= len(value) <= 1024
            assert not [c for c in key if c not in PLAIN] and not [c for c in value if ord(c) < 32]
    assert list(details({"k" * 99: 1}, 32)) == ["k" * 32]


def fail(message):
    raise KeyError(message)


def caught(message):
    try:
        fail(message)
    except KeyError as error:
        return error


def test_a_failure_says_what_and_where():
    found = failure(caught("pear"))
    assert found["type"] == "KeyError" and "pear" in found["message"]
    file, _, line = found["place"].rpartition(":")
    assert "test_documents." in file and int(line) > 50
    assert "message" not in failure(ValueError())


def test_a_place_that_is_not_there():
    assert place(ValueError("never raised")) == ""
    for message in ('File "', 'File "x', 'File "x", line ', 'File "x", line y, in', "\0", "a\nb"):
        caught_place = place(caught(message))
        assert isinstance(caught_place, str) and "\n" not in caught_place


def test_a_value_whose_text_fails():
    class Hostile:
        def __str__(self):
            raise OSError("no text")

        __repr__ = __str__

    raises(OSError, "no text", details, {"x": Hostile()})
    assert documents.failure(OSError("no text"))["type"] == "OSError"
