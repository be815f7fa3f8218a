"""Shared access signatures, the passwords of IoT Hub and DPS. In memory for a moment.

Source: "Control access to IoT Hub by using Shared Access Signatures"; "Symmetric key attestation" of DPS.
"""

import binascii

from micropython import const

from iot.memory import borrow

LIFE_S = 3600  # of a token
_UNRESERVED = const(b"-._~")  # RFC 3986, 2.3, beside letters and digits


def key(secrets, registration_id):
    """The device's own key: the one that was given, or derived from its group's; None: it has a certificate.

    Args:
        secrets: as Store.certificates has them.
        registration_id: DPS's name of the device; a group's devices keep it in the hub.
    """
    group = secrets.get("group_key")
    if group:
        return borrow("iot.crypto.hmac256").digest(group, registration_id.encode())
    return secrets.get("shared_access_key")


def made(resource, key, now_s, policy=""):
    """A token (bytes) that lets into `resource` for LIFE_S.

    Args:
        resource: e.g. "HUB/devices/ID".
        key: the device's, in bytes.
        now_s: as time.time() has it, in whichever epoch.
        policy: what the key is called, where that has to be said.
    """
    resource, end = quoted(resource), str(borrow("iot.clouds.epoch").unix_s(now_s) + LIFE_S)
    signature = borrow("iot.crypto.hmac256").digest(key, (resource + "\n" + end).encode())
    text = str(binascii.b2a_base64(signature), "ascii").strip()
    token = "SharedAccessSignature sr={}&sig={}&se={}".format(resource, quoted(text), end)
    return (token + "&skn=" + policy if policy else token).encode()


def quoted(text):
    """`text`, percent-encoded but for letters, digits and -._~"""
    found = ""
    for byte in text.encode():
        is_plain = 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte in _UNRESERVED
        found += chr(byte) if is_plain else "%{:02X}".format(byte)
    return found
