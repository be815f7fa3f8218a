"""Configurations for tests; the certificates have the right wrapping and nothing in it."""

import binascii


def pem(label="CERTIFICATE", size=300, fill=0x42):
    """A PEM block around a DER SEQUENCE of `size` bytes."""
    data = b"\x30\x82" + (size - 4).to_bytes(2, "big") + bytes([fill]) * (size - 4)
    body = str(binascii.b2a_base64(data), "ascii").strip()
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n".format(label, "\n".join(lines))


def claim():
    """A whole configuration with a claim, new for each caller."""
    return {
        "wifi": [{"ssid": "Home", "password": "correct horse"}, {"ssid": "Café"}],
        "aws": {
            "endpoint": "broker.example.com",
            "template": "Fleet_1",
            "parameters": {"SerialNumber": "{id}"},
            "root_ca": pem(),
            "claim_certificate": pem(fill=0x43),
            "claim_key": pem("EC PRIVATE KEY", 121, 0x44),
        },
    }


def own():
    """A whole configuration with a thing's own certificate."""
    document = claim()
    aws = document["aws"]
    for member in ("template", "claim_certificate", "claim_key"):
        del aws[member]
    aws["thing_name"] = "lamp:7"
    aws["certificate"] = pem(fill=0x45)
    aws["key"] = pem("PRIVATE KEY", 138, 0x46)
    return document
