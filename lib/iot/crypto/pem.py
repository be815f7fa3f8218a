"""Certificates and keys in the forms that tools write them, found and turned into DER (RFC 7468).

Blocks may stand anywhere in a text: among others, behind a comment or a byte order mark, with their line
breaks turned into blanks or lost. An error tells what was there instead, and never quotes it.
"""

import binascii

from micropython import const

from iot.crypto.tlv import behind, inside

_DASHES = const("-----")
_BEGIN = const("-----BEGIN ")
_LABEL_MAX = const(28)  # of what is told; a longer one is nobody's
_CERTIFICATE = const(("CERTIFICATE", "X509 CERTIFICATE"))
_KEY = const(("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"))
# OpenSSL's own form of a certificate; a bundle without it would lack what its owner sees in it.
_TRUSTED = const("TRUSTED CERTIFICATE")
_PARAMETERS = const("EC PARAMETERS")  # which OpenSSL writes before a key
_REMEDIES = {
    "encrypted private key": "; openssl pkey -in FILE decrypts it",
    "trusted certificate": "; openssl x509 -in FILE converts it",
}


def certificates(value):
    """The DER of each certificate in PEM (str) or DER one behind the other (bytes); ValueError for none."""
    if isinstance(value, bytes):
        return _sequences(value)
    found = _find(value, _CERTIFICATE)
    if not found:
        raise ValueError("no certificate, but " + _instead(value))
    return found


def certificate(value):
    """The DER of the one certificate in PEM (str) or DER (bytes); ValueError for none or several."""
    return _one(certificates(value), "certificates, leave the device's own alone")


def key(value):
    """The DER of the one private key (PKCS#8, SEC 1 or PKCS#1, in clear); ValueError otherwise."""
    found = _sequences(value) if isinstance(value, bytes) else _find(value, _KEY)
    if not found:
        raise ValueError("no private key, but " + _instead(value))
    return _one(found, "private keys, leave the device's own alone")


def _one(found, others):
    if len(found) > 1:
        raise ValueError("{} {}".format(len(found), others))
    return found[0]


def _find(text, labels):
    """The DER in all blocks with one of `labels`."""
    found = []
    for label, body in _blocks(text):
        if label == _TRUSTED and labels is _CERTIFICATE:
            raise ValueError(_words(label, body))
        if label in labels and not _is_encrypted(body):
            found.append(_der(label, body))
    return found


def _blocks(text):
    """Label and body of each block; the body is None where its end is missing."""
    if not isinstance(text, str):
        raise ValueError("not PEM text")
    at = text.find(_BEGIN)
    while at >= 0:
        start = at + len(_BEGIN)
        stop = text.find(_DASHES, start)
        if stop < 0:
            return
        label = text[start:stop]
        tail = "-----END " + label + _DASHES
        end = text.find(tail, stop)
        if end < 0:
            yield label, None
            at = text.find(_BEGIN, stop)
        else:
            yield label, text[stop + len(_DASHES) : end]
            at = text.find(_BEGIN, end + len(tail))


def _der(label, body):
    try:
        # Line breaks may have become the letters \n on their way through a shell or an .env file.
        text = "".join(body.replace("\\n", "").replace("\\r", "").split()).encode()
        data = binascii.a2b_base64(text)
        if binascii.b2a_base64(data)[:-1] == text and len(_sequences(data)) == 1:
            return data
    except (AttributeError, ValueError):  # AttributeError: it has no end
        pass
    raise ValueError("a damaged {}".format(label.lower()))


def _sequences(data):
    """The DER SEQUENCEs that all of `data` consists of: an empty or a torn one is none."""
    found = []
    at = 0
    while at < len(data):
        end = behind(data, at)
        if inside(data, at) == end:
            raise ValueError("damaged")
        found.append(data[at:end])
        at = end
    if not found:
        raise ValueError("empty")
    return found


def _is_encrypted(body):
    """Whether it has the headers of a key with a password (RFC 1421, 4.6.1.1)."""
    return body is not None and "ENCRYPTED" in body


def _instead(text):
    """What there is in place of what was looked for."""
    found = [_words(label, body) for label, body in _blocks(text) if label != _PARAMETERS]
    if found:
        return ", ".join(found[:3])
    return "no PEM block" if text.strip() else "nothing"


def _words(label, body):
    words = label.lower()
    if _is_encrypted(body):
        words = "encrypted private key"
    if len(words) > _LABEL_MAX or not words.replace(" ", "").isalpha():
        words = "unknown block"
    article = "an " if words[0] in "aeiou" else "a "
    return article + words + _REMEDIES.get(words, "")
