"""When a certificate ends."""

import binascii

from check import raises
from iot.crypto.x509 import not_after

# Made with OpenSSL: CN=thing, serial 77, from 2026-01-02 to 2049-12-31 23:59:59.
CERTIFICATE = binascii.a2b_base64(
    "MIIBDDCBs6ADAgECAgFNMAoGCCqGSM49BAMCMBAxDjAMBgNVBAMMBXRoaW5nMB4XDTI2MDEwMjAwMDAwMFoXDTQ5MTIz"
    "MTIzNTk1OVowEDEOMAwGA1UEAwwFdGhpbmcwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASK0TBEaqHSKhQmPAMWDHy0"
    "CMUJBXEosvp3ZzvtT+NlVFVNM3N1/pQcMKZiWA2Mdle22hJq+tUmQnma3erIQk8uMAoGCCqGSM49BAMCA0gAMEUCIEmD"
    "xRB0wgG8axClp8EqRfOBUDecgC6n86gIkaLD6naWAiEA8wmQpZ3TgkCuFQsnB20UnFse4IPtok6+1hStkaWZfhs="
)


def test_the_end_of_a_certificate():
    assert not_after(CERTIFICATE) == "2049-12-31T23:59:59Z"


def test_the_two_ways_to_write_a_time():
    for old, new, end in (
        (b"\x17\x0d491231", b"\x17\x0d500101", "1950-01-01T23:59:59Z"),
        (b"\x17\x0d491231", b"\x17\x0d001231", "2000-12-31T23:59:59Z"),
    ):
        assert not_after(CERTIFICATE.replace(old, new)) == end


def test_what_is_no_certificate():
    for data in (b"", b"\x30", b"\x30\x82", b"-----BEGIN CERTIFICATE-----", bytes(100), CERTIFICATE[:60]):
        raises(ValueError, "no X.509 certificate", not_after, data)
    raises(ValueError, "no X.509 certificate", not_after, CERTIFICATE.replace(b"491231", b"49123x"))
