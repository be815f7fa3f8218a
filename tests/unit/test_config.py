"""The validator of configurations."""

import json

from check import raises
from documents import claim, own, pem
from iot import config
from iot.config import ConfigError

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
        (("aws", "claim_key"), pem(), "aws.claim_key: not a PEM block of type PRIVATE KEY or EC PRIVATE KEY"),
        (("aws", "claim_certificate"), "text", "aws.claim_certificate: not a PEM block of type CERTIFICATE"),
        (("aws", "claim_certificate"), 5, "aws.claim_certificate: PEM of at most 4096 characters"),
        (("aws", "root_ca"), None, "aws.root_ca: missing"),
        (("aws", "root_ca"), pem() + "rest", "aws.root_ca: not PEM certificates"),
        (("aws", "root_ca"), "x" * 8193, "aws.root_ca: PEM of at most 8192 characters"),
        (("aws", "parameters"), {"a": 1}, "aws.parameters.a: 0 to 256 bytes"),
        (("aws", "parameters"), [], "aws.parameters: not a JSON object"),
        (("aws", "secret"), SECRET, "aws.secret: unknown"),
        (("time",), {"ntp": []}, "time.ntp: a list of 1 to 4"),
        (("time",), {"ntp": ["a b"]}, "time.ntp[0]: has a character that is not allowed"),
        (("ota",), {"public_keys": [1]}, "ota.public_keys[0]: 1 to 256 bytes"),
        (("app",), [], "app: not a JSON object"),
        (("app",), {"x": "y" * 2000}, "document: at most 1900 bytes of JSON without its certificates"),
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
    for text in ("", "{", "[]", "null", "1", '"x"', b"\xff\xfe", '{"wifi"', "[" * 5000):
        raises(ConfigError, "document: not a JSON object", config.parse, text)
    try:
        config.parse('{"password": "' + SECRET)
        raise AssertionError("accepted")
    except ConfigError as error:
        assert SECRET not in str(error)


def test_a_document_nested_deeper_than_json_can_write():
    document = claim()
    document["app"] = {}
    for _ in range(5000):
        document["app"] = {"a": document["app"]}
    raises(ConfigError, "", config.validate, document)


def test_a_bundle_of_root_certificates():
    document = changed(("aws", "root_ca"), pem() + pem(size=200) + "\n")
    assert config.validate(document)["aws"]["root_ca"] == document["aws"]["root_ca"]


def test_pem_to_der():
    assert config.certificate_der("x", pem(size=300))[:4] == b"\x30\x82\x01\x28"
    assert len(config.key_der("x", pem("RSA PRIVATE KEY", 1190))) == 1190
    for label in ("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"):
        assert config.key_der("x", "\n " + pem(label))
    raises(ConfigError, "x: not a PEM block", config.key_der, "x", pem("ENCRYPTED PRIVATE KEY"))
    torn = pem().replace("QkJC", "", 1)
    raises(ConfigError, "x: not a PEM block", config.certificate_der, "x", torn)
    raises(ConfigError, "x: not a PEM block", config.certificate_der, "x", pem() + pem())
    for wrong in ("", b"", b"\x30\x03\x02\x01", b"text", None, 7):
        raises(ConfigError, "x: not a PEM block", config.certificate_der, "x", wrong)


def test_der_in_place_of_pem():
    document = own()
    aws = document["aws"]
    aws["certificate"] = config.certificate_der("", aws["certificate"])
    aws["key"] = config.key_der("", aws["key"])
    result = config.validate(document)
    assert config.certificate_der("", result["aws"]["certificate"]) == aws["certificate"]
    aws["key"] = aws["key"][:-1]
    raises(ConfigError, "aws.key: not a PEM block", config.validate, document)


def test_plain_has_no_certificates_and_no_keys():
    text = json.dumps(config.plain(config.validate(own())))
    assert "BEGIN" not in text and "lamp:7" in text
