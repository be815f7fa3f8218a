"""What a job makes of a configuration, and what becomes of it."""

from check import raises
from iot import config
from iot.work.reconfigure import merged

PLAIN = {
    "wifi": [{"ssid": "Home", "password": "correct horse"}],
    "aws": {"endpoint": "a.example.com", "port": 8883, "template": "T"},
    "app": {"every_s": 5},
}
KEYS = {"root_ca": b"\x30\x01", "claim_key": b"\x30\x02", "claim_certificate": b"\x30\x03"}


def test_sections_take_the_place_of_those_there_are():
    given = {"app": {"every_s": 9}, "wifi": [{"ssid": "Moved"}]}
    found = merged(PLAIN, KEYS, given)
    assert found["app"] == {"every_s": 9} and found["wifi"] == [{"ssid": "Moved"}]
    assert found["aws"] == dict(PLAIN["aws"], **KEYS)


def test_of_aws_the_members_that_change():
    found = merged(PLAIN, KEYS, {"aws": {"endpoint": "b.example.com", "root_ca": "pem", "template": None}})
    assert found["aws"] == dict(KEYS, endpoint="b.example.com", port=8883, root_ca="pem")
    assert PLAIN["aws"]["endpoint"] == "a.example.com", "the one there is has changed"


def test_none_takes_away():
    assert "app" not in merged(PLAIN, KEYS, {"app": None})
    assert merged(PLAIN, KEYS, {"time": None}) == merged(PLAIN, KEYS, {})


def test_what_is_wrong_is_the_validator_s_to_say():
    for given, text in (
        ({"aws": 7}, "aws: not a JSON object"),
        ({"wlan": []}, "wlan: unknown"),
        ({"wifi": None}, "wifi: missing"),
    ):
        raises(config.ConfigError, text, config.validate, merged(PLAIN, KEYS, given))
