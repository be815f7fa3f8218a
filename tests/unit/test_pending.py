"""What a job has asked for, from one life to the next."""

import os

from check import raises
from fakes import FakeNVS
from iot.ota import pending

ORDER = {"job": "j1", "number": 1, "text": "iot-update 1\n", "signatures": ["a:b"], "url": "https://a/b"}
FOLDER = "pending"
FILE = FOLDER + "/update"


def folder():
    try:
        os.mkdir(FOLDER)
    except OSError:
        pass
    pending.remove(FOLDER)
    pending.remove(FOLDER)  # nothing is there, and nobody minds
    return FOLDER


def left():
    names = os.listdir(FOLDER)
    pending.remove(FOLDER)
    os.rmdir(FOLDER)
    return names


def test_so_many_lives_may_try_it_and_no_more():
    pending.store(folder(), ORDER)
    for starts in range(1, 9):
        assert pending.load(FOLDER) == dict(ORDER, starts=starts)
    raises(ValueError, "not installed in 8 starts", pending.load, FOLDER)
    assert left() == ["update"]


def test_a_damaged_one_is_told():
    for text in ("", "7", "{}", "[]", "[1, 2, 3, 4, 5]", '{"text": ""}', "\0" * 50):
        with open(folder() + "/update", "w") as file:
            file.write(text)
        raises(ValueError, "", pending.load, FOLDER)
    left()


def test_one_that_was_carried_out_is_not_due():
    nvs = FakeNVS()
    pending.store(folder(), ORDER)
    assert pending.is_due(FOLDER, nvs) and os.listdir(FOLDER) == ["update"]
    nvs.set_i32("boot0", 1 << 10 | 3 << 4 | 1 << 2)  # the version on trial
    assert not pending.is_due(FOLDER, nvs) and left() == []
