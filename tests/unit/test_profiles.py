"""What a ClearBlade, an Alibaba and any broker are told, and what is made of what they say."""

import json

from check import araises, raises
from documents import CLAIM_KEY, OWN_KEY
from iot.alibaba import profile as alibaba
from iot.broker import profile as broker
from iot.clearblade import jwt
from iot.clearblade import profile as clearblade
from iot.clouds import login
from iot.clouds.epoch import unix_s
from iot.crypto import hmac256
from iot.crypto.pem import key
from iot.mqtt.packet import MQTTError

NOW_S = 1767225600  # since 1970
HERE_S = 2 * NOW_S - unix_s(NOW_S)  # as time.time() says it here
PLACE = {"project": "house-7", "location": "us-central1", "registry": "lamps"}
CLEARBLADE = dict(PLACE, endpoint="c.example.com", port=8883, token_s=3600)
ALIBABA = {"endpoint": "pk.example.com", "port": 8883, "product_key": "pk"}
TOPICS = {
    "telemetry": "up/{id}",
    "commands": "do/{id}/+/+",
    "answers": "done/{id}/{name}/{execution}",
    "desired": "want/{id}",
    "reported": "is/{id}",
}
BROKER = {"endpoint": "b.example.com", "port": 8883, "keep_alive_s": 30, "topics": TOPICS}
# By another program, with RFC 6979's nonce as here: pyca/cryptography, ECDSA(SHA256(), True).
TOKEN = (
    b"eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOiAxNzY3MjI1NjAwLCAiZXhwIjogMTc2NzIyOTIwMCwgImF1ZCI6ICJo"
    b"b3VzZS03In0.tCTXX1G2hDfbC42FjwuPHlANAlNIM2OkBVfldiSRVdCombOpgNOQfD26YQogVxKBA6BiKnjg5b9zKCjAh2oL2w"
)
OTHERS = ("telemetry/lamp", "/devices/lamp/eventsx", "/devices/other/events", "/devices/lamp/state", "$aws/x")


async def test_a_token_is_the_one_that_another_program_makes():
    claims = b'{"iat": 1767225600, "exp": 1767229200, "aud": "house-7"}'
    assert await jwt.token(key(CLAIM_KEY), claims) == TOKEN
    other = await jwt.token(key(OWN_KEY), claims)  # in PKCS#8
    assert other.rpartition(b".")[0] == TOKEN.rpartition(b".")[0] and len(other) == len(TOKEN)


async def test_numbers_of_a_signature_that_are_shorter_have_their_zeros():
    """Of the same program: the first number of the one, the second of the other has 31 bytes."""
    for claims, signature in (
        (b"736", b"AHqGdT2eQiCnFvoYg4gtRPOWdI3g2bsKxcflMwDKOcu3egKACr352QsE_BvEb6MIig9yyjhLMXeEnajWGLzyAw"),
        (b"378", b"Z1YsnvOjCpO92n_D1tqoinR-QJcXHZ9mTGLDzmyMLd0AFWt7T4LppDcBnIpe8bjeW16qUGZrzAMPj2RsJLWwag"),
    ):
        assert (await jwt.token(key(CLAIM_KEY), claims)).rpartition(b".")[2] == signature


async def test_a_login_of_clearblade_lasts_as_long_as_it_says():
    user, token, lasts_s = await clearblade.login(CLEARBLADE, "lamp", {"key": key(CLAIM_KEY)}, HERE_S + 0.7)
    assert (user, lasts_s) == (b"unused", 3600)
    assert token.split(b".")[1] == jwt._coded(b'{"iat":1767225600,"exp":1767229200,"aud":"house-7"}')


class Cloud:
    """A ClearBlade's whose stored key is none."""

    name, profile, section = "lamp", "iot.clearblade.profile", CLEARBLADE

    def store(self):
        return self

    def certificates(self):
        return {"key": b"secret"}


async def test_a_login_that_cannot_be_made_says_so_and_nothing_secret():
    error = await araises(MQTTError, "no login: private key", login.login(Cloud()))
    assert "secret" not in str(error)


def test_clearblade_s_way():
    way = clearblade.way(CLEARBLADE, "lamp", None)
    assert way["client_id"] == "projects/house-7/locations/us-central1/registries/lamps/devices/lamp"
    assert way["host"] == "c.example.com" and way["telemetry"] == "/devices/lamp/events" and way["whole"]
    assert way["filters"] == [("/devices/lamp/config", 1), ("/devices/lamp/commands/#", 1)]


def test_what_clearblade_does_not_take_is_refused_by_its_name():
    clearblade.check(CLEARBLADE, "lamp", "/devices/lamp/events/alarms", 1, False)
    for topic in OTHERS:
        text = "ClearBlade IoT Core: no topic of your own but /devices/lamp/events/…; use thing.telemetry"
        raises(ValueError, text, clearblade.check, CLEARBLADE, "lamp", topic, 1, False)
    events = "/devices/lamp/events"
    raises(ValueError, "Core: it retains nothing", clearblade.check, CLEARBLADE, "lamp", events, 1, True)
    raises(ValueError, "no QoS 2", clearblade.check, CLEARBLADE, "lamp", events, 2, False)
    raises(ValueError, "no subscription of your own", clearblade.check_filter, CLEARBLADE, "lamp", "#", 1)


def test_what_comes_of_clearblade():
    commands = "/devices/lamp/commands"
    for topic, payload, expected in (
        ("/devices/lamp/config", b"", None),
        ("/devices/lamp/config", b"every 10 s", None),
        ("/devices/lamp/config", b'{"led": true}', ("state", {"led": True}, None)),
        (commands + "/beep", b'{"times": 2}', ("command", "beep", "", {"times": 2})),
        (commands + "/sound/beep", b"", ("command", "sound/beep", "", {})),
        (commands, b'{"command": "beep", "id": "7"}', ("command", "", "7", {"command": "beep", "id": "7"})),
        (commands + "/beep", b'{"id": 7}', ("command", "beep", "", {"id": 7})),
        (commands + "/beep", b"\xff", ("command", "beep", "", None)),
    ):
        assert clearblade.take(CLEARBLADE, "lamp", topic, payload) == expected, topic
    topic, text = clearblade.answer(CLEARBLADE, "lamp", "beep", "7", "FAILED", "why", {"n": 0})
    assert topic == "/devices/lamp/events/answers"
    found = {"command": "beep", "id": "7", "status": "FAILED", "reason": "why", "result": {"n": 0}}
    assert json.loads(text) == found
    _, text = clearblade.answer(CLEARBLADE, "lamp", "", "", "SUCCEEDED", None, None)
    assert json.loads(text) == {"status": "SUCCEEDED"}


def test_a_login_of_alibaba_is_signed_with_its_names_in_their_order():
    """The form of what is signed is the one of the example in "Examples of creating signatures for MQTT
    connections", whose HMAC-SHA1 is fafd82a3…; of HMAC-SHA256 Python's says what it is.
    """
    user, password, lasts_s, client_id = alibaba.login(ALIBABA, "lamp", {"device_secret": b"secret"}, HERE_S)
    assert (user, lasts_s) == (b"lamp&pk", 0)
    assert client_id == "lamp|securemode=2,signmethod=hmacsha256,timestamp=1767225600000|"
    assert password == b"38d7b2731fec84a7fe57cf05585856539dc508b0223b5b52aa5759308ca0b311"
    assert hmac256.digest(b"secret", b"x") != hmac256.digest(b"other", b"x")


def test_telemetry_and_reports_are_properties_for_alibaba():
    for payload in ({"n": 1}, '{"n": 1}', b'{"n": 1}'):
        found = json.loads(alibaba.wrapped(payload))
        assert found["params"] == {"n": 1} and found["method"] == "thing.event.property.post"
        assert found["version"] == "1.0" and found["sys"] == {"ack": 0}
        assert isinstance(found["id"], str) and 0 <= int(found["id"]) <= 4294967295
    for payload in ([1], "text", b"\xff", 7, {"x": float("nan")}):
        raises(ValueError, "", alibaba.wrapped, payload)
    raises(ValueError, "Alibaba Cloud IoT Platform: telemetry is a dict", alibaba.wrapped, [1])
    topic, text = alibaba.report(ALIBABA, "lamp", '{"led": 1}')
    assert (
        topic == alibaba.way(ALIBABA, "lamp", None)["telemetry"] == "/sys/pk/lamp/thing/event/property/post"
    )
    assert json.loads(text)["params"] == {"led": 1}


def test_what_alibaba_does_not_take_is_refused_by_its_name():
    alibaba.check(ALIBABA, "lamp", "/pk/lamp/user/update", 1, False)
    alibaba.check_filter(ALIBABA, "lamp", "/pk/lamp/user/get", 1)
    text = "Alibaba Cloud IoT Platform: no topic of your own but /pk/lamp/user/…; use thing.telemetry"
    for topic in OTHERS:
        raises(ValueError, text, alibaba.check, ALIBABA, "lamp", topic, 1, False)
        raises(ValueError, "no subscription of your own", alibaba.check_filter, ALIBABA, "lamp", topic, 1)
    own = "/pk/lamp/user/update"
    raises(ValueError, "it retains nothing", alibaba.check, ALIBABA, "lamp", own, 1, True)
    raises(ValueError, "no QoS 2", alibaba.check, ALIBABA, "lamp", own, 2, False)


def test_what_comes_of_alibaba_and_how_it_is_answered():
    thing = "/sys/pk/lamp/thing/"

    def take(topic, payload):
        return alibaba.take(ALIBABA, "lamp", thing + topic, payload)

    kind, desired, reply, is_part = take("service/property/set", b'{"id": "3", "params": {"led": 1}}')
    assert (kind, desired, reply[0]) == ("state", {"led": 1}, thing + "service/property/set_reply")
    assert is_part
    assert json.loads(reply[1]) == {"id": "3", "code": 200, "message": "success", "data": {}}
    _, desired, reply = take("service/property/set", b'{"id": "3", "params": [1]}')
    assert desired == {} and json.loads(reply[1])["code"] == 460
    data = b'{"id": "4", "code": 200, "data": {"job": {"value": {"id": "a"}, "version": 2}, "led": 1}}'
    assert take("property/desired/get_reply", data) == ("state", {"job": {"id": "a"}}, None)
    assert take("service/beep", b'{"id": "5", "params": {"n": 2}}') == ("command", "beep", "5", {"n": 2})
    assert take("service/beep", b'{"id": "5", "params": 2}') == ("command", "beep", "5", None)
    for payload in (b"", b"\xff", b"[]", b"{}"):
        assert take("service/beep", payload) is None
    for status, code in (("SUCCEEDED", 200), ("REJECTED", 460), ("FAILED", 100000), ("TIMED_OUT", 100001)):
        topic, text = alibaba.answer(ALIBABA, "lamp", "beep", "5", status, "why", 7)
        assert topic == thing + "service/beep_reply"
        expected = {"id": "5", "code": code, "message": status + ": why", "data": {"result": 7}}
        assert json.loads(text) == expected
    topic, text = alibaba.ask(ALIBABA, "lamp")
    assert topic == thing + "property/desired/get" and json.loads(text)["params"] == ["job"]


def test_any_broker_s_topics_are_made_of_templates():
    will = {"topic": "gone/{id}", "payload": "lost", "qos": 1, "retain": True}
    way = broker.way(dict(BROKER, will=will), "lamp", None)
    assert way["will"] == (b"gone/lamp", b"lost", 1, True) and way["keep_alive_s"] == 30
    assert way["filters"] == [("want/lamp", 1), ("do/lamp/+/+", 1)] and way["telemetry"] == "up/lamp"
    assert "will" not in broker.way(BROKER, "lamp", None)
    assert broker.report(BROKER, "lamp", "{}") == ("is/lamp", "{}", True)
    topic, text = broker.answer(BROKER, "lamp", "beep", "7", "REJECTED", "why", None)
    assert topic == "done/lamp/beep/7" and json.loads(text) == {"status": "REJECTED", "reason": "why"}
    for topic, payload, expected in (
        ("want/lamp", b'{"led": 1}', ("state", {"led": 1}, None)),
        ("want/lamp", b"", None),
        ("want/lamp", b"on", None),
        ("do/lamp/beep/7", b"", ("command", "beep", "7", {})),
        ("do/lamp/beep/7", b"on", ("command", "beep", "7", None)),
    ):
        assert broker.take(BROKER, "lamp", topic, payload) == expected


def test_any_broker_s_login():
    secrets = {"password": b"hunter2"}
    assert broker.login(BROKER, "lamp", secrets, HERE_S) is None
    assert broker.login(dict(BROKER, user="u-{id}"), "lamp", secrets, HERE_S) == (b"u-lamp", b"hunter2", 0)
    assert broker.login(dict(BROKER, user="lamp"), "lamp", {"password": b""}, HERE_S) == (b"lamp", None, 0)
