"""Single values in NVS: none is not an error, and an error is not none."""

from check import raises
from fakes import FakeNVS
from iot.storage import nvs


def test_what_was_never_stored():
    empty = FakeNVS()
    assert nvs.get_i32(empty, "a") == 0 and nvs.get_blob(empty, "a", bytearray(4)) is None
    nvs.erase_key(empty, "a")
    assert empty.writes == 0


def test_what_is_stored_is_read_back_until_it_is_dropped():
    kept, buffer = FakeNVS(), bytearray(4)
    for number in (0, 1, -1, 0x7FFFFFFF, -0x80000000):
        nvs.set(kept, "number", number)
        assert nvs.get_i32(kept, "number") == number
    for value in (b"", b"abc", bytearray(4)):
        nvs.set(kept, "blob", value)
        assert bytes(nvs.get_blob(kept, "blob", buffer)) == value
    nvs.erase_key(kept, "number")
    nvs.erase_key(kept, "blob")
    assert not kept.values


def test_a_change_is_committed():
    class Committed(FakeNVS):
        commits = 0

        def commit(self):
            self.commits += 1

    kept = Committed()
    nvs.set(kept, "a", 1)
    nvs.erase_key(kept, "a")
    assert kept.commits == 2


def test_a_value_that_does_not_fit_is_an_error():
    kept = FakeNVS()
    nvs.set(kept, "a", b"12345")
    raises(OSError, "ESP_ERR_NVS_INVALID_LENGTH", nvs.get_blob, kept, "a", bytearray(4))


def test_flash_that_fails_is_not_none():
    def fails(*_):
        raise OSError(-0x1105, "ESP_ERR_NVS_INVALID_HANDLE")

    failing = FakeNVS()
    failing.get_i32 = failing.get_blob = failing.erase_key = fails
    raises(OSError, "INVALID_HANDLE", nvs.get_i32, failing, "a")
    raises(OSError, "INVALID_HANDLE", nvs.get_blob, failing, "a", bytearray(4))
    raises(OSError, "INVALID_HANDLE", nvs.erase_key, failing, "a")


def test_a_text_that_is_none_or_too_long_is_as_one_that_is_not_there():
    kept = FakeNVS()
    assert nvs.get_text(kept, "a", 4) is None
    for value, text in ((b"pear", "pear"), (b"", ""), (b"pears", None), (b"\xff\xff", None)):
        nvs.set(kept, "a", value)
        assert nvs.get_text(kept, "a", 4) == text

    class Failing(FakeNVS):
        def get_blob(self, key, buffer):
            raise OSError(5)

    raises(OSError, "5", nvs.get_text, Failing(), "a", 4)
