"""What the chip can load, and what goes together; with keys and certificates of all kinds in tests/host."""

import binascii

from check import raises
from documents import CLAIM, CLAIM_KEY, OWN, OWN_KEY, ROOT
from iot.crypto.loadable import check_key, public
from iot.crypto.pem import certificate, key

SEC1, PKCS8 = key(CLAIM_KEY), key(OWN_KEY)
P256 = binascii.unhexlify("2a8648ce3d030107")
RSA = binascii.unhexlify("2a864886f70d010101")
SECP256K1 = binascii.unhexlify("2b8104000a")
ECDSA = binascii.unhexlify("2a8648ce3d040302")
ED25519 = binascii.unhexlify("302a300506032b6570032100") + bytes(32)  # a key, as a certificate has it
ED25519_KEY = binascii.unhexlify("302e020100300506032b657004220420") + bytes(32)


def test_what_belongs_together():
    for text in (ROOT, CLAIM, OWN):
        point = public(certificate(text))
        assert len(point) == 65 and point[0] == 4
    check_key(SEC1, public(certificate(CLAIM)))
    check_key(PKCS8, public(certificate(OWN)))
    check_key(SEC1)
    for der, text in ((SEC1, OWN), (PKCS8, CLAIM), (SEC1, ROOT)):
        raises(ValueError, "not the key of the certificate", check_key, der, public(certificate(text)))


def test_what_the_chip_cannot_load():
    der = certificate(CLAIM)
    at = der.find(P256)
    raises(ValueError, "another curve", public, der[:at] + bytes(8) + der[at + 8 :])
    raises(ValueError, "another curve", check_key, SEC1.replace(P256, bytes(8)))
    raises(ValueError, "another curve", check_key, PKCS8.replace(P256, bytes(8)))
    raises(ValueError, "signed by another algorithm", public, der.replace(ECDSA, bytes(8)))
    raises(ValueError, "a key for Ed25519; the chip takes RSA of 2048", check_key, ED25519_KEY)
    at = der.find(b"\x03\x42\x00\x04")
    raises(ValueError, "a compressed point", public, der[: at + 3] + b"\x02" + der[at + 4 :])


def test_what_is_damaged():
    for data in (b"", b"0", b"0\0", b"0\x03\x02\x01\x05", bytes(100), ED25519, SEC1[:40], b"\x30\x82"):
        raises(ValueError, "", public, data)
    for data in (b"", b"0", b"0\0", b"0\x03\x02\x01\x05", bytes(100), ED25519, SEC1[:7], certificate(CLAIM)):
        raises(ValueError, "", check_key, data)


def test_keys_of_forms_that_mbedtls_does_not_read():
    version_1 = PKCS8.replace(b"\x02\x01\x00\x30", b"\x02\x01\x01\x30", 1)
    raises(ValueError, "PKCS#8 of a version that the chip cannot load", check_key, version_1)
    bare = b"\x30\x25\x02\x01\x01\x04\x20" + bytes(32)
    raises(ValueError, "an EC key that does not name its curve", check_key, bare)
    raises(ValueError, "damaged", check_key, b"\x30\x05\x02\x01\x01\x05\0")
    rsa = b"\x30\x0d\x06\x09" + RSA + b"\x05\0"
    no_modulus = b"\x30\x1a\x02\x01\0" + rsa + b"\x04\x06\x30\x04\x02\x01\0\x04"
    raises(ValueError, "damaged", check_key, no_modulus)
    no_integer = b"\x30\x1c\x02\x01\0" + rsa + b"\x04\x08\x30\x06\x02\x01\0\x04\x01\x07"
    raises(ValueError, "damaged", check_key, no_integer)
    short = b"\x30\x1c\x02\x01\0" + rsa + b"\x04\x08\x30\x06\x02\x01\0\x02\x01\x07"
    raises(ValueError, "an RSA key of 8 bits", check_key, short)
