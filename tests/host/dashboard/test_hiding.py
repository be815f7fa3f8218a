"""What a page does not get to see."""

import json
from typing import Any

import pytest

from tools.dashboard.hiding import hidden

PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA\n-----END EC PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "document",
    [
        {"action": "configure", "config": {"wifi": [{"ssid": "Home", "password": "hunter22"}]}},
        {"config": {"aws": {"claim_key": "hunter22", "claim_certificate": "c"}}},
        {"aws": {"key": "hunter22", "Secret": "hunter22", "api_token": "hunter22", "wifi-psk": 22}},
        {
            "url": "https://s3.example/a/b?X-Amz-Signature=hunter22&x=1",
            "note": "see http://a/b?t=hunter22 there",
        },
        {"anything": PEM.replace("MHcCAQEEIA", "hunter22"), "cut": "-----BEGIN PRIVATE KEY-----\nhunter22"},
        ["-----BEGIN RSA PRIVATE KEY-----hunter22-----END RSA PRIVATE KEY-----", {"passwd": "hunter22"}],
    ],
)
def test_no_password_no_key_and_no_url_that_opens_a_file(document: Any) -> None:
    assert "22" not in json.dumps(hidden(document))


def test_all_else_is_shown_as_it_is() -> None:
    document = {
        "action": "OTA",
        "manifest": "iot-update 1\nsize 1\n",
        "signatures": ["1ce76472:MEYC"],
        "url": "${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/releases/u}",
        "monkey": "m", "keys": [1, None, True, 2.5], "key": "", "password": None, "token": {"a": 1},
        "root_ca": "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
    }  # fmt: skip
    assert hidden(document) == document
