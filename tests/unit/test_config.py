"""The validator of configurations."""

import json
import sys

from check import raises
from documents import CLAIM, CLAIM_KEY, OWN, OWN_KEY, ROOT, claim, own, pem
from iot import config
from iot.config import ConfigError
from iot.crypto.pem import certificate, certificates, key

SECRET = "hunter2hunter2"


def changed(path, value, make=claim):
    """A configuration in which the member at `path` is `value`, or gone for None."""
    document = make()
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


def test_a_whole_configuration_gets_its_defaults():
    result = config.parse(json.dumps(claim()))
    assert result["aws"]["port"] == 8883
    assert result["wifi"][1] == {"ssid": "Café", "password": ""}
    assert result["time"]["ntp"]
    assert result["ota"] == {"public_keys": []} and result["app"] == {}
    assert config.validate(result) == result


def test_the_three_ways_to_a_certificate():
    both = claim()
    both["aws"].update(own()["aws"])
    for document in (claim(), own(), both):
        assert config.validate(document)


def test_the_device_makes_its_keys_unless_the_service_is_to():
    document = claim()
    assert config.validate(document)["aws"]["keys"] == "device"
    document["aws"]["keys"] = "service"
    result = config.validate(document)
    assert result["aws"]["keys"] == config.plain(result)["aws"]["keys"] == "service"


def test_the_given_document_is_left_alone():
    document = claim()
    config.validate(document)
    assert document == claim()


def test_every_error_names_its_place_and_reason():
    for path, value, text in (
        (("wifi",), None, "wifi: missing"),
        (("wifi",), [], "wifi: a list of 1 to 8"),
        (("wifi",), {}, "wifi: a list of 1 to 8"),
        (("wifi",), [{"ssid": "x"}] * 9, "wifi: a list of 1 to 8"),
        (("wifi", 0), "Home", "wifi[0]: not a JSON object"),
        (("wifi", 0, "ssid"), "", "wifi[0].ssid: 1 to 32 bytes"),
        (("wifi", 0, "ssid"), "ü" * 17, "wifi[0].ssid: 1 to 32 bytes"),
        (("wifi", 0, "ssid"), 7, "wifi[0].ssid: 1 to 32 bytes"),
        (("wifi", 1, "ssid"), "a\nb", "wifi[1].ssid: has a character that is not allowed"),
        (("wifi", 1, "ssid"), None, "wifi[1].ssid: missing"),
        (("wifi", 0, "password"), "short", "wifi[0].password: 8 to 64 bytes, or empty for an open network"),
        (("wifi", 0, "password"), "x" * 65, "wifi[0].password: 0 to 64 bytes"),
        (("wifi", 0, "bssid"), "x", "wifi[0].bssid: unknown; one of ssid, password, static"),
        (("aws",), None, "aws: missing"),
        (("aws", "endpoint"), None, "aws.endpoint: missing"),
        (("aws", "endpoint"), "https://x", "aws.endpoint: has a character that is not allowed"),
        (("aws", "endpoint"), "x" * 254, "aws.endpoint: 1 to 253 bytes"),
        (("aws", "port"), 0, "aws.port: an integer from 1 to 65535"),
        (("aws", "port"), 65536, "aws.port: an integer from 1 to 65535"),
        (("aws", "port"), "8883", "aws.port: an integer from 1 to 65535"),
        (("aws", "port"), True, "aws.port: an integer from 1 to 65535"),
        (("aws", "template"), "x" * 37, "aws.template: 1 to 36 bytes"),
        (("aws", "template"), "a/b", "aws.template: has a character that is not allowed"),
        (("aws", "template"), None, "aws.template: missing (goes with claim_certificate)"),
        (("aws", "claim_key"), None, "aws.claim_key: missing (goes with template)"),
        (("aws", "claim_key"), pem(), "aws.claim_key: no private key, but a certificate"),
        (("aws", "claim_key"), OWN_KEY, "aws.claim_key: not the key of the certificate"),
        (("aws", "claim_key"), pem("RSA PRIVATE KEY"), "aws.claim_key: damaged"),
        (("aws", "claim_certificate"), "text", "aws.claim_certificate: no certificate, but no PEM block"),
        (("aws", "claim_certificate"), pem(), "aws.claim_certificate: damaged"),
        (("aws", "claim_certificate"), CLAIM + ROOT, "aws.claim_certificate: 2 certificates, leave"),
        (("aws", "claim_certificate"), 5, "aws.claim_certificate: PEM of at most 4096 bytes"),
        (("aws", "claim_certificate"), "ü" * 2049, "aws.claim_certificate: PEM of at most 4096 bytes"),
        (("aws", "root_ca"), None, "aws.root_ca: missing"),
        (("aws", "root_ca"), CLAIM_KEY, "aws.root_ca: no certificate, but an ec private key"),
        (("aws", "root_ca"), ROOT + pem(), "aws.root_ca: certificate 2: damaged"),
        (("aws", "root_ca"), "x" * 8193, "aws.root_ca: PEM of at most 8192 bytes"),
        (("aws", "parameters"), {"a": 1}, "aws.parameters.a: 0 to 256 bytes"),
        (("aws", "parameters"), [], "aws.parameters: not a JSON object"),
        (("aws", "keys"), "chip", 'aws.keys: "device" or "service"'),
        (("aws", "keys"), ["service"], 'aws.keys: "device" or "service"'),
        (("aws", "greengrass"), 1, "aws.greengrass: true or false"),
        (("aws", "greengrass"), "true", "aws.greengrass: true or false"),
        (("aws", "secret"), SECRET, "aws.secret: unknown"),
        (("time",), {"ntp": []}, "time.ntp: a list of 1 to 4"),
        (("time",), {"ntp": ["a b"]}, "time.ntp[0]: has a character that is not allowed"),
        (("ota",), {"public_keys": [1]}, "ota.public_keys[0]: 1 to 256 bytes"),
        (("app",), [], "app: not a JSON object"),
        (("app",), {"x": [{"y": float("inf")}]}, "app: a number that JSON has not"),
        (("app",), {"x": float("nan")}, "app: a number that JSON has not"),
        (("app",), {"x": "ü" * 950}, "document: at most 1900 bytes of JSON without its certificates"),
        (("other",), {}, "other: unknown"),
    ):
        raises(ConfigError, text, config.validate, changed(path, value))


def test_neither_claim_nor_certificate():
    document = claim()
    for member in ("template", "claim_certificate", "claim_key"):
        del document["aws"][member]
    raises(ConfigError, "aws: needs a claim", config.validate, document)


def test_no_error_quotes_what_was_given():
    for document in (
        changed(("wifi", 0, "password"), SECRET * 10),
        changed(
            ("aws", "claim_key"), "-----BEGIN PRIVATE KEY-----\n" + SECRET + "\n-----END PRIVATE KEY-----"
        ),
        changed(("aws", "key"), SECRET),
    ):
        try:
            config.validate(document)
            raise AssertionError("accepted")
        except ConfigError as error:
            assert SECRET not in str(error)


def test_text_that_is_no_configuration():
    for text in ("[]", "null", "1", '"x"'):
        raises(ConfigError, "document: not a JSON object", config.parse, text)
    for text in ("", b"\xff\xfe", "{} {}"):
        raises(ConfigError, "document: not JSON", config.parse, text)
    for text in ("{", '{"wifi"', json.dumps(claim())[:-1], json.dumps(claim())[:-2]):
        raises(ConfigError, "document: ends early", config.parse, text)
    raises(ConfigError, "document: nested too deep", config.parse, "[" * 5000)
    try:
        config.parse('{"password": "' + SECRET)
        raise AssertionError("accepted")
    except ConfigError as error:
        assert SECRET not in str(error)


def test_a_bundle_of_root_certificates():
    document = changed(("aws", "root_ca"), "# ours\n" + ROOT + "# theirs\n" + CLAIM + "\n")
    assert config.validate(document)["aws"]["root_ca"] == b"".join(certificates(ROOT + CLAIM))


def test_certificates_and_keys_become_der():
    aws = config.validate(own())["aws"]
    assert (aws["certificate"], aws["key"]) == (certificate(OWN), key(OWN_KEY))
    document = own()
    document["aws"].update(aws)
    assert config.validate(document)["aws"] == aws
    document["aws"]["key"] = aws["key"][:-1]
    raises(ConfigError, "aws.key: damaged", config.validate, document)


def test_names_with_characters_above_the_first_plane():
    smile = "\U0001f600"
    document = claim()
    document["wifi"] = [{"ssid": "8 smiles"}, {"ssid": "8 smiles"}]
    text = json.dumps(document)
    for written in (smile, "\\ud83d\\ude00"):
        parsed = config.parse(text.replace("8 smiles", written * 8))
        assert parsed["wifi"][0]["ssid"].encode() == smile.encode() * 8
        raises(
            ConfigError, "wifi[0].ssid: 1 to 32 bytes", config.parse, text.replace("8 smiles", written * 9)
        )
    raises(ConfigError, "document: half of a surrogate pair", config.parse, text.replace("8", "\\ud83d"))


def test_a_number_too_large_for_the_chip():
    document = claim()
    document["app"] = {"x": 12345}
    text = json.dumps(document)
    raises(ConfigError, "app: a number that JSON has not", config.parse, text.replace("12345", "-1e999"))
    assert config.parse(text.replace("12345", "1e9"))["app"] == {"x": 1e9}


def test_the_size_without_certificates_counts_bytes_of_utf_8():
    document = claim()
    document["app"] = {"x": ""}
    room = 1900 - len(json.dumps(config.plain(config.validate(document))).replace("\\u00e9", "é").encode())
    for character in ("x", "ü", "\u20ac", "\U0001f600"):
        count = room // len(character.encode())
        document["app"]["x"] = character * count
        assert config.validate(document)
        document["app"]["x"] = character * (count + 1)
        raises(ConfigError, "document: at most 1900 bytes", config.validate, document)


def test_plain_has_no_certificates_and_no_keys():
    text = json.dumps(config.plain(config.validate(own())))
    assert "BEGIN" not in text and "lamp:7" in text


def test_a_document_of_the_settings_that_is_nested_without_end():
    if sys.platform == "webassembly":
        return  # that VM has no bound of its own, and the browser's ends it
    document, inner = claim(), []
    for _ in range(5000):
        inner = [inner]
    document["app"] = {"deep": inner}
    raises(config.ConfigError, "app: nested too deep", config.validate, document)


def test_half_a_character():
    """CPython alone has strings of them that have no bytes; what comes as text is refused before."""
    if sys.implementation.name == "cpython":
        document = claim()
        document["wifi"][0]["ssid"] = "\ud800"
        raises(config.ConfigError, "wifi[0].ssid: not valid UTF-8", config.validate, document)
