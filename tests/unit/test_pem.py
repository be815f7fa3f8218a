"""Certificates and keys in all the forms that they come in."""

import binascii

from check import raises
from documents import CLAIM, CLAIM_KEY, OWN, OWN_KEY, ROOT, pem
from iot.crypto.pem import certificate, certificates, key

BODY = "".join(CLAIM.split("\n")[1:-2])
DER = binascii.a2b_base64(BODY)
KEY_DER = binascii.a2b_base64("".join(CLAIM_KEY.split("\n")[1:-2]))
PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
BAG = "Bag Attributes\n    localKeyID: 54 69 6D \n    friendlyName: lamp\nKey Attributes: <No Attributes>\n"
TEXT = "Certificate:\n    Data:\n        Version: 3 (0x2)\n        Issuer: CN = Ünal's root -- ok\n"


def mangled(text):
    """What becomes of a PEM text on its way through shells, spreadsheets, .env files and editors."""
    return (
        text,
        text.replace("\n", "\r\n"),
        text.replace("\n", "\r"),
        text.replace("\n", " "),
        text.replace("\n", ""),
        text.replace("\n", "\\n"),
        text.replace("\n", "\n\n"),
        text.replace("\n", "\n    "),
        text.replace("\n", "\n\t"),
        text.replace("\n", " \n"),
        "\n\n" + text.strip(),
        "\ufeff" + text,
        "# our device\n" + text + "# the end\n",
        TEXT + text,
        BAG + text + BAG,
        '"' + text + '"',
    )


def test_a_certificate_in_every_form():
    for text in mangled(CLAIM):
        assert certificate(text) == DER, text
    assert certificate(CLAIM.replace(" CERTIFICATE", " X509 CERTIFICATE")) == DER
    assert certificate(DER) == DER


def test_a_key_in_every_form():
    for text in mangled(PARAMETERS + CLAIM_KEY) + mangled(BAG + CLAIM + BAG + CLAIM_KEY):
        assert key(text) == KEY_DER, text
    assert key(KEY_DER) == KEY_DER
    for label in ("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"):
        assert len(key(pem(label, 1190))) == 1190


def test_a_bundle_in_every_form():
    both = "# one\n" + ROOT + "\n# another\n" + CLAIM
    for text in mangled(both) + mangled(TEXT + both + TEXT + pem("X509 CRL")):
        assert certificates(text) == [certificate(ROOT), DER], text
    assert certificates(b"".join(certificates(both))) == [certificate(ROOT), DER]


def test_an_error_tells_what_was_there_instead():
    encrypted = CLAIM_KEY.replace("-\nM", "-\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nM")
    decrypts = "an encrypted private key; openssl pkey -in FILE decrypts it"
    for function, text, reason in (
        (key, pem("ENCRYPTED PRIVATE KEY"), "no private key, but " + decrypts),
        (key, encrypted, "no private key, but " + decrypts),
        (key, pem("PUBLIC KEY"), "no private key, but a public key"),
        (key, CLAIM, "no private key, but a certificate"),
        (key, PARAMETERS + pem("PUBLIC KEY"), "no private key, but a public key"),
        (key, CLAIM_KEY + OWN_KEY, "2 private keys, leave the device's own alone"),
        (key, "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", "no private key, but an openssh private key"),
        (key, "", "no private key, but nothing"),
        (key, " \n", "no private key, but nothing"),
        (key, BODY, "no private key, but no PEM block"),
        (certificate, CLAIM + ROOT, "2 certificates, leave the device's own alone"),
        (certificate, CLAIM_KEY, "no certificate, but an ec private key"),
        (certificate, pem("CERTIFICATE REQUEST"), "no certificate, but a certificate request"),
        (
            certificate,
            pem("TRUSTED CERTIFICATE"),
            "a trusted certificate; openssl x509 -in FILE converts it",
        ),
        (certificates, ROOT + pem("TRUSTED CERTIFICATE"), "a trusted certificate"),
        (certificates, pem("hunter2hunter2"), "but an unknown block"),
        (certificates, pem("X" * 29), "but an unknown block"),
        (certificates, ROOT + CLAIM[:-40], "a damaged certificate"),
    ):
        error = raises(ValueError, reason, function, text)
        assert "hunter2" not in str(error)


def test_what_is_damaged():
    flat = CLAIM.replace("\n", "")
    for text in (
        flat.replace("MIIB", "MIIA", 1),  # another length
        flat.replace(BODY[100:104], "", 1),
        flat.replace(BODY[100:104], BODY[100:103], 1),
        flat.replace(BODY[100], "*", 1),
        flat.replace(BODY[100:104], "====", 1),
        flat.replace(BODY, ""),
        flat.replace(BODY, BODY + BODY),
        flat.split("-----END")[0],
        flat.replace("-----END CERTIFICATE", "-----END X"),
        "-----BEGIN CERTIFICATE-----",
    ):
        raises(ValueError, "a damaged certificate", certificate, text)
    for data in (
        b"\x30",
        b"\x30\x00",
        b"\x30\x03\x02\x01",
        b"text",
        DER + b"\0",
        DER[:-1],
        b"\x30\x84\xff\xff",
    ):
        raises(ValueError, "damaged", certificate, data)
    raises(ValueError, "empty", certificate, b"")
    for value in (None, 7, ["x"]):
        for function in (certificate, certificates, key):
            raises(ValueError, "not PEM text", function, value)
    raises(ValueError, "2 certificates", certificate, DER + DER)
    assert certificate(OWN)


def test_a_block_that_breaks_off_in_its_first_line():
    for text in ("-----BEGIN CERTIFICATE", "-----BEGIN ", "# -----BEGIN PRIVATE KEY----"):
        raises(ValueError, "no certificate, but no PEM block", certificate, text)
        raises(ValueError, "no private key, but no PEM block", key, text)
