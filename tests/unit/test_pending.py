"""What a job has asked for, from one life to the next."""

import os

from check import raises
from fakes import FakeNVS
from iot.ota import pending

ORDER = ["iot-update 1\n", ["a:b"], "https://a/b", False]
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
    for _ in range(6):
        assert pending.load(FOLDER) == ORDER
    raises(ValueError, "not installed in 6 starts", pending.load, FOLDER)
    assert left() == ["update"]


def test_a_damaged_one_is_told():
    for text in ("", "7", "{}", "[]", "[1, 2, 3, 4]", "[1, 2, 3, 4, 5, 6]", "\0" * 50):
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
