"""The sections of clouds other than AWS: what they take, and what they say of the rest."""

import json

from check import raises
from documents import CLAIM, CLAIM_KEY, OWN, OWN_KEY, ROOT, pem
from iot import config
from iot.config import ConfigError
from iot.crypto.pem import certificates, key

SECRET = "hunter2hunter2hunter2"
PLACE = {"project": "house-7", "location": "us-central1", "registry": "lamps"}
SECTIONS = {
    "azure": {"endpoint": "hub.azure-devices.net", "shared_access_key": "c2VjcmV0IHNlY3JldCBzZWNyZXQ="},
    "clearblade": dict(PLACE, key=CLAIM_KEY),
    "alibaba": {"endpoint": "pk.iot-as-mqtt.eu.example.com", "product_key": "pk", "device_secret": SECRET},
    "mqtt": {"endpoint": "broker.example.com", "user": "lamp", "password": SECRET},
}
ON_P384 = key(CLAIM_KEY).replace(
    b"\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", b"\xa0\x07\x06\x05\x2b\x81\x04\x00\x22"
)
ON_P384 = ON_P384[:1] + bytes((ON_P384[1] - 3,)) + ON_P384[2:]


def made(cloud, **members):
    """A configuration for a cloud; of its section, members are others, or gone for None."""
    section = dict(SECTIONS[cloud], root_ca=ROOT)
    section.update(members)
    for name, value in members.items():
        if value is None:
            del section[name]
    return {"wifi": [{"ssid": "Home"}], cloud: section}


def test_a_whole_section_gets_its_defaults_and_is_the_same_when_it_is_looked_at_again():
    for cloud in SECTIONS:
        result = config.parse(json.dumps(made(cloud)))
        assert result[cloud]["port"] == 8883 and result[cloud]["device_id"] == "{id}"
        assert result[cloud]["root_ca"] == b"".join(certificates(ROOT))
        assert config.validate(result) == result
    assert config.validate(made("clearblade"))["clearblade"]["token_s"] == 3600
    assert config.validate(made("mqtt"))["mqtt"]["topics"]["desired"] == "state/{id}/desired"
    will = {"topic": "gone/{id}", "payload": "lost"}
    result = config.validate(made("mqtt", will=will))
    assert result["mqtt"]["will"] == dict(will, qos=0, retain=False)


def test_what_is_secret_is_no_part_of_what_is_plain():
    for cloud in SECTIONS:
        result = config.validate(made(cloud))
        plain = json.dumps(config.plain(result)[cloud])
        assert SECRET not in plain and "key" not in config.plain(result)[cloud], plain
    assert config.validate(made("clearblade"))["clearblade"]["key"] == key(CLAIM_KEY)


def test_any_broker_takes_a_certificate_and_a_name_without_a_password():
    own = {"certificate": OWN, "key": OWN_KEY}
    result = config.validate(made("mqtt", user="lamp", password=None, **own))
    assert result["mqtt"]["user"] == "lamp" and result["mqtt"]["password"] == b""
    assert config.validate(result) == result
    result = config.validate(made("mqtt", user=None, password=None, **own))
    assert "user" not in result["mqtt"] and result["mqtt"]["key"] == key(OWN_KEY)


def test_one_cloud_and_no_more():
    both = dict(made("mqtt"), **made("alibaba"))
    raises(ConfigError, "mqtt: one cloud alone, and there is alibaba", config.validate, both)
    text = "aws: missing (or another cloud: azure, clearblade, alibaba, mqtt)"
    raises(ConfigError, text, config.validate, {"wifi": [{"ssid": "Home"}]})


def test_every_error_names_its_place_and_reason_and_nothing_secret():
    will = {"topic": "gone", "payload": "x"}
    for cloud, members, text in (
        ("azure", {"endpoint": None}, "azure.endpoint: missing (the hub's name, or id_scope"),
        ("azure", {"endpoint": "a b"}, "azure.endpoint: has a character that is not allowed"),
        ("azure", {"shared_access_key": None}, "azure: needs one of shared_access_key, group_key, or"),
        ("azure", {"group_key": "c2VjcmV0IHNlY3JldCBzZWNyZXQ="}, "azure: needs one of shared_access_key"),
        (
            "azure",
            {"shared_access_key": SECRET + "!"},
            "azure.shared_access_key: base64 of 16 bytes and more",
        ),
        ("azure", {"shared_access_key": "c2hvcnQ="}, "azure.shared_access_key: base64 of 16 bytes and more"),
        ("azure", {"shared_access_key": 7}, "azure.shared_access_key: base64 of 16 bytes and more"),
        ("azure", {"device_id": "a/b"}, "azure.device_id: has a character that is not allowed"),
        ("azure", {"root_ca": None}, "azure.root_ca: missing"),
        ("azure", {"id_scope": ""}, "azure.id_scope: 1 to 64 bytes"),
        ("azure", {"secret": SECRET}, "azure.secret: unknown; one of"),
        ("azure", {"shared_access_key": None, "certificate": OWN}, "azure: needs one of"),
        ("clearblade", {"project": None}, "clearblade.project: missing"),
        ("clearblade", {"registry": "a/b"}, "clearblade.registry: has a character that is not allowed"),
        ("clearblade", {"location": 'x"'}, "clearblade.location: has a character that is not allowed"),
        ("clearblade", {"device_id": ""}, "clearblade.device_id: 1 to 255 bytes"),
        ("clearblade", {"token_s": 59}, "clearblade.token_s: an integer from 60 to 86400"),
        ("clearblade", {"token_s": 86401}, "clearblade.token_s: an integer from 60 to 86400"),
        ("clearblade", {"key": None}, "clearblade.key: missing"),
        ("clearblade", {"key": CLAIM}, "clearblade.key: no private key, but a certificate"),
        ("clearblade", {"key": pem("RSA PRIVATE KEY")}, "clearblade.key: damaged"),
        ("clearblade", {"key": ON_P384}, "clearblade.key: not on P-256, which ES256 wants"),
        ("alibaba", {"endpoint": None}, "alibaba.endpoint: missing"),
        ("alibaba", {"product_key": "a&b"}, "alibaba.product_key: has a character that is not allowed"),
        ("alibaba", {"device_id": "x" * 33}, "alibaba.device_id: 1 to 32 bytes"),
        ("alibaba", {"device_id": "a|b"}, "alibaba.device_id: has a character that is not allowed"),
        ("alibaba", {"device_secret": None}, "alibaba.device_secret: missing"),
        ("alibaba", {"device_secret": 7}, "alibaba.device_secret: not a text"),
        ("alibaba", {"device_secret": SECRET * 4}, "alibaba.device_secret: 1 to 64 bytes"),
        ("mqtt", {"endpoint": None}, "mqtt.endpoint: missing"),
        ("mqtt", {"port": 70000}, "mqtt.port: an integer from 1 to 65535"),
        ("mqtt", {"password": None}, "mqtt.password: missing (goes with user)"),
        ("mqtt", {"user": None}, "mqtt.user: missing (goes with password)"),
        ("mqtt", {"password": ""}, "mqtt.password: 1 to 512 bytes"),
        ("mqtt", {"password": SECRET + "\n"}, "mqtt.password: has a character that is not allowed"),
        ("mqtt", {"certificate": OWN}, "mqtt.key: missing (goes with certificate)"),
        ("mqtt", {"certificate": CLAIM, "key": OWN_KEY}, "mqtt.key: not the key of the certificate"),
        ("mqtt", {"keep_alive_s": 9}, "mqtt.keep_alive_s: an integer from 10 to 65535"),
        (
            "mqtt",
            {"keep_alive_s": 1161, "endpoint": "x.westeurope-1.ts.eventgrid.azure.net"},
            "mqtt.keep_alive_s: an integer from 10 to 1160 (Event Grid takes no more)",
        ),
        (
            "mqtt",
            {"topics": {"telemetry": "a/+"}},
            "mqtt.topics.telemetry: no topic that can be published to",
        ),
        ("mqtt", {"topics": {"telemetry": "$SYS/a"}}, "mqtt.topics.telemetry: no topic that can be"),
        ("mqtt", {"topics": {"desired": "a/b/c/d/e/f/g/h/i"}}, "mqtt.topics.desired: at most 7 slashes"),
        (
            "mqtt",
            {"topics": {"commands": "do/{id}/+"}},
            "mqtt.topics.commands: ends with /+/+, for a command",
        ),
        ("mqtt", {"topics": {"commands": "+/{id}/+/+"}}, "mqtt.topics.commands: no topic that can be"),
        ("mqtt", {"topics": {"events": "x"}}, "mqtt.topics.events: unknown"),
        ("mqtt", {"topics": {"reported": ""}}, "mqtt.topics.reported: 1 to 128 bytes"),
        ("mqtt", {"will": {"topic": "x"}}, "mqtt.will.payload: missing"),
        ("mqtt", {"will": dict(will, topic="a/#")}, "mqtt.will.topic: no topic that can be published to"),
        ("mqtt", {"will": dict(will, qos=2)}, "mqtt.will.qos: an integer from 0 to 1"),
        ("mqtt", {"will": dict(will, retain=1)}, "mqtt.will.retain: true or false"),
    ):
        error = raises(ConfigError, text, config.validate, made(cloud, **members))
        assert SECRET not in str(error) and "c2VjcmV0" not in str(error)
