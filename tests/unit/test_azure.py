"""What Azure is told and how tokens are signed, and what is made of a twin, a method, a message."""

import binascii
import json

from check import raises
from iot.azure import bag, profile, tokens, twin
from iot.clouds.epoch import unix_s

NOW_S = 1767225600  # since 1970
HERE_S = 2 * NOW_S - unix_s(NOW_S)  # as time.time() says it here
HUB = {"endpoint": "hub.azure-devices.net", "port": 8883}
# "Symmetric key attestation" of DPS, "Group enrollments": the page's example, and what it says comes of it.
GROUP = binascii.a2b_base64(
    "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw=="
)
DERIVED = b"Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=\n"
# By tools/clouds/azure/sas.py, whose judge is Microsoft's SDK.
TOKEN = (
    b"SharedAccessSignature sr=hub.azure-devices.net%2Fdevices%2Flamp"
    b"&sig=M1Z2c3So7xV%2FAIFjjxywwXG8syKkxxMOdq3eq%2FjbhWY%3D&se=1767229200"
)
DPS_TOKEN = (
    b"SharedAccessSignature sr=0ne00000001%2Fregistrations%2Flamp"
    b"&sig=1JECWUTCg7W4DguFogecmgw3APC6VcioCOc9vQjw6mg%3D&se=1767229200&skn=registration"
)
EVENTS = "devices/lamp/messages/events/"
ASK = ("$iothub/twin/GET/?$rid=get", b"")


def take(topic, payload=b""):
    return profile.take(HUB, "lamp", topic, payload)


def test_a_device_s_key_comes_of_its_group_s():
    derived = tokens.key({"group_key": GROUP}, "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6")
    assert binascii.b2a_base64(derived) == DERIVED
    assert tokens.key({"shared_access_key": b"own"}, "lamp") == b"own"
    assert tokens.key({"certificate": b"DER"}, "lamp") is None


def test_a_token_is_the_one_that_another_program_makes():
    found = profile.login(HUB, "lamp", {"shared_access_key": GROUP}, HERE_S)
    assert found == (b"hub.azure-devices.net/lamp/?api-version=2021-04-12", TOKEN, 3600)
    assert tokens.made("0ne00000001/registrations/lamp", GROUP, HERE_S + 0.9, "registration") == DPS_TOKEN
    assert profile.login(HUB, "lamp", {}, HERE_S) == (found[0], None, 0), "a certificate says it"
    assert tokens.quoted("aZ09-._~ /+ü") == "aZ09-._~%20%2F%2B%C3%BC"


def test_what_a_message_has_beside_its_payload():
    topic = "devices/lamp/messages/devicebound/%24.mid=m%261&colour=d%C3%BCnn%20gr%C3%BCn&flag&empty=&bad=%zz"
    expected = {"$.mid": "m&1", "colour": "dünn grün", "flag": None, "empty": "", "bad": "%zz"}
    assert profile.properties(topic) == expected
    assert bag.properties("devices/lamp/messages/devicebound/") == {}
    assert bag.unquoted("%ff%") == "%ff%" and bag.unquoted("%C3") == "%C3"


def test_a_twin_asks_for_what_is_desired_and_not_reported():
    desired = {"led": 1, "fan": {"speed": 3, "mode": "a"}, "list": [1], "gone": {}, "$version": 7}
    reported = {"led": 1, "fan": {"speed": 2, "mode": "a"}, "list": [2], "other": 5, "$version": 9}
    whole = json.dumps({"desired": desired, "reported": reported}).encode()
    wants = {"fan": {"speed": 3}, "list": [1], "gone": {}, "job": {}}
    assert take("$iothub/twin/res/200/?$rid=get", whole) == ("state", wants, None)
    job = {"id": "1", "document": {"action": "blink", "times": None}}
    whole = json.dumps({"desired": {"job": job}, "reported": {"job": job}}).encode()
    assert take("$iothub/twin/res/200/?$rid=get", whole) == ("state", {"job": job}, None)
    assert twin.wanted({"a": {"b": {}}}, {"a": 7}, True) == {"a": {"b": {}}}


def test_a_change_of_a_twin_asks_for_what_is_in_it():
    topic = "$iothub/twin/PATCH/properties/desired/?$version=8"
    change = b'{"fan": {"speed": 3, "mode": null}, "led": null, "only": {"gone": null}, "$version": 8}'
    assert take(topic, change) == ("state", {"fan": {"speed": 3}}, None, True)
    assert take(topic, b'{"job": {"id": "2"}}') == ("state", {}, ASK, True), "all of it is asked for"
    assert take(topic, b'{"job": null}') == ("state", {"job": {}}, None, True), "it is taken back"
    assert take(topic, b"[")[0] == "refused"


def test_what_a_hub_says_of_a_report_or_a_question_is_told():
    assert take("$iothub/twin/res/204/?$rid=report&$version=6") is None
    refused = take("$iothub/twin/res/400/?$rid=report", b'{"errorCode": 400000, "message": "no such name"}')
    assert refused == ("refused", "the twin: 400 no such name")
    assert take("$iothub/twin/res/429/?$rid=get") == ("again", "the twin: 429 ")
    assert take("$iothub/twin/res/200/?$rid=get", b"{" * 99)[0] == "refused"


def test_a_method_and_its_answer():
    method = "$iothub/methods/POST/"
    assert take(method + "beep/?$rid=1f", b'{"n": 1}') == ("command", "beep", "1f", {"n": 1}, True)
    for nothing in (b"", b"null"):
        assert take(method + "a%20b/?$rid=2", nothing) == ("command", "a b", "2", {}, True)
    assert take(method + "beep/?$rid=3", b"[1]")[3] is None
    for status, description, result, code, told in (
        ("SUCCEEDED", None, None, 200, {}),
        ("SUCCEEDED", None, [1, "b"], 200, [1, "b"]),
        ("SUCCEEDED", None, float("nan"), 500, {"reason": "it was done; JSON has no word for its result"}),
        ("REJECTED", "unknown", None, 400, {"reason": "unknown"}),
        ("FAILED", "pear", None, 500, {"reason": "pear"}),
        ("TIMED_OUT", "late", None, 504, {"reason": "late"}),
    ):
        topic, text = profile.answer(HUB, "lamp", "beep", "1f", status, description, result)
        assert topic == "$iothub/methods/res/{}/?$rid=1f".format(code) and json.loads(text) == told


def test_a_hub_s_own_way_and_what_it_does_not_take():
    way = profile.way(HUB, "lamp", None)
    assert way["telemetry"] == EVENTS + "%24.ct=application%2Fjson&%24.ce=utf-8"
    assert way["inbox"] == "devices/lamp/messages/devicebound/#" and way["host"] == HUB["endpoint"]
    profile.check(HUB, "lamp", EVENTS + "alert=high", 1, False)
    for text, topic, qos, retain in (
        ("Azure IoT Hub: no topic of your own; use thing.telemetry", "mine", 1, False),
        ("no topic of your own", "devices/lamp/messages/devicebound/", 1, False),
        ("Azure IoT Hub: no message from device to device", "devices/other/messages/events/", 1, False),
        ("no QoS 2", EVENTS, 2, False),
        ("no message is retained", EVENTS, 1, True),
    ):
        raises(ValueError, text, profile.check, HUB, "lamp", topic, qos, retain)
    raises(ValueError, "no topic of your own", profile.check_filter, HUB, "lamp", "#", 1)
