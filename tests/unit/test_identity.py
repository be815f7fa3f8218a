"""The device's code: made once, read as people write it."""

from check import raises
from fakes import FakeNVS
from iot import identity


def never(count):
    raise AssertionError("random numbers were asked for")


def test_a_code_is_made_once():
    nvs = FakeNVS()
    made = identity.code(nvs, None, lambda count: bytes(range(20, 20 + count)))
    assert made == "MNPQRSTVWXYZ"
    assert nvs.writes == 1
    assert identity.code(nvs, None, never) == made and nvs.writes == 1


def test_every_letter_is_as_likely():
    codes = ""
    for start in range(0, 256, 12):
        numbers = bytes([min(start + i, 255) for i in range(12)])
        codes += identity.code(FakeNVS(), None, lambda count, numbers=numbers: numbers[:count])
    assert sorted(set(codes[:256])) == sorted("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert {codes[:256].count(letter) for letter in codes[:256]} == {8}


def test_a_code_of_the_product():
    nvs = FakeNVS()
    assert identity.code(nvs, "abcd-efgh-jkmn", never) == "ABCDEFGHJKMN"
    assert nvs.values == {}
    raises(ValueError, "a code has 12 of", identity.code, nvs, "short", never)
    raises(ValueError, "a code has 12 of", identity.code, nvs, "", never)  # not taken for None


def test_what_is_stored_and_no_code_is_replaced():
    nvs = FakeNVS()
    nvs.set_blob("code", b"ABCD")
    made = identity.code(nvs, None, bytes)
    assert made == "0" * 12 and nvs.values["code"] == made.encode()


def test_flash_that_fails_is_not_a_first_boot():
    class Failing(FakeNVS):
        def get_blob(self, key, buffer):
            raise OSError(-0x1105, "ESP_ERR_NVS_INVALID_HANDLE")

    nvs = Failing()
    raises(OSError, "", identity.code, nvs, None, never)
    assert nvs.writes == 0


def test_as_people_write_it():
    for text in ("ABCD-EFGH-JKMN", "abcdefghjkmn", " abcd efgh jkmn ", "A-B-C-D-EFGHJKMN"):
        assert identity.normalised(text) == "ABCDEFGHJKMN"
    assert identity.normalised("o0O1-iIlL-zzzz") == "00011111ZZZZ"
    assert identity.shown("ABCDEFGHJKMN") == "ABCD-EFGH-JKMN"
    assert identity.normalised(identity.shown("ABCDEFGHJKMN")) == "ABCDEFGHJKMN"


def test_what_is_no_code():
    for text in (
        "",
        "ZBCDEFGHJKM",
        "ZBCDEFGHJKMNP",
        "ZBCDEFGHJKMU",
        "ZBCDEFGHJK_N",
        "ÄBCDEFGHJKMN",
        "Z" * 99,
    ):
        error = raises(ValueError, "a code has 12 of 0123", identity.normalised, text)
        assert not text or text not in str(error)


def test_the_name_that_a_prefix_makes():
    address = b"\x24\x0a\xc4\0\0\1"
    assert identity.device_id("esp32", address) == "esp32-240ac4000001"
    assert len("claim-" + identity.device_id("p" * 109, address)) == 128  # a client id's limit
    for prefix, text in (
        ("", "1 to 109 characters"),
        ("p" * 110, "1 to 109 characters"),
        (None, "1 to 109 characters"),
        (7, "1 to 109 characters"),
        ("my lamp", "letters, digits"),
        ("Küche", "letters, digits"),
        ("a/b", "letters, digits"),
        ("a:b", "letters, digits"),
        ("+", "letters, digits"),
    ):
        raises(ValueError, "NAME_PREFIX: " + text, identity.device_id, prefix, address)


def test_what_is_on_the_air_fits_and_tells_devices_apart():
    for size in range(1, 110):
        names = [identity.device_id("p" * size, bytes(5) + bytes([last])) for last in range(3)]
        shown = [identity.on_air(name) for name in names]
        assert len(set(shown)) == 3
        for name, short in zip(names, shown):  # noqa: B905 - MicroPython has no strict
            assert len(short) == min(len(name), 28) and name.startswith(short[:-13])
            assert name.endswith(short[-13:]) and identity.on_air(short) == short
