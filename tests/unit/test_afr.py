"""AWS's own OTA jobs: what they have to say, who has to have signed, and what is kept of one."""

import binascii
import hashlib

from check import araises, raises
from iot.crypto import p256
from iot.ota import afr, forms, request
from updates import BOARD, PRODUCT, Python, root_text

FILE = b"a pack" * 100
DIGEST = hashlib.sha256(FILE).digest()
STEP = 0x1234567  # between two private keys of tests/unit/updates.py
URL = "https://releases.s3.example/firmware.pack?X-Amz-Signature=pear"


class Settings:
    UPDATE_AFR = True


def root(numbers=(3, 1), threshold=1):
    return forms.root(root_text(numbers, threshold, 4), PRODUCT)


async def signature(number=1, digest=DIGEST):
    der = await p256.sign((number * STEP).to_bytes(32, "big"), digest)
    return str(binascii.b2a_base64(der)[:-1], "ascii")


def document(protocols=("MQTT",), **changes):
    file = {"filepath": "/firmware.pack", "filesize": len(FILE), "fileid": 0, "certfile": "/cert"}
    file["sig-sha256-ecdsa"] = "MEUC"
    file["update_data_url"] = URL
    for name, value in changes.items():
        file[name.replace("_", "-") if name.startswith("sig") else name] = value
    return {"afr_ota": {"protocols": list(protocols), "streamname": "AFR_OTA-s", "files": [file]}}


def test_the_file_comes_as_the_protocols_say():
    found = afr.order(document())
    assert found["stream"] == {"id": "AFR_OTA-s", "file": 0} and "url" not in found
    for protocols in (("HTTP",), ("MQTT", "HTTP")):
        found = afr.order(document(protocols))
        assert found["url"] == URL and "stream" not in found
    assert (found["signatures"], found["size"]) == (["MEUC"], len(FILE))
    assert len(found["manifest"]) == 32 and found["manifest"].startswith("afr-")
    assert found["manifest"] != afr.order(document(sig_sha256_ecdsa="MEUD"))["manifest"]


def test_documents_that_ask_for_what_cannot_be():
    for text, given in (
        ("of one file", {"afr_ota": None}),
        ("of one file", {"afr_ota": {}}),
        ("of one file", {"afr_ota": {"files": []}}),
        ("of one file", {"afr_ota": {"files": document()["afr_ota"]["files"] * 2}}),
        ("of one file", {"afr_ota": {"files": [None]}}),
        ("filepath", document(filepath="/firmware.bin")),
        ("filepath", document(filepath=None)),
        ("filesize", document(filesize=0)),
        ("filesize", document(filesize=196609)),
        ("filesize", document(filesize="600")),
        ("filesize", document(filesize=True)),
        ("sig-sha256-ecdsa", document(sig_sha256_ecdsa="")),
        ("sig-sha256-ecdsa", document(sig_sha256_ecdsa="A" * 129)),
        ("sig-sha256-ecdsa", document(sig_sha256_ecdsa=7)),
        ("protocols", document(("BLE",))),
        ("protocols", {"afr_ota": {"files": document()["afr_ota"]["files"]}}),
    ):
        error = raises(ValueError, text, afr.order, given)
        assert "pear" not in str(error)


async def test_it_becomes_a_manifest_of_this_device_once_a_key_of_the_root_has_signed_the_file():
    for number in (1, 3):
        order = request.order(document(sig_sha256_ecdsa=await signature(number)))
        found = await afr.manifest(order, DIGEST, root(), 7, Python())
        assert found["version"] == order["text"] and found["counter"] == 7
        assert binascii.unhexlify(found["sha256"]) == DIGEST and found["size"] == len(FILE)
        forms.judge(found, PRODUCT, 7, (2026, 11, 28, 12, 30, 59), Python(BOARD))


async def test_other_keys_other_files_and_what_is_no_signature():
    for text in (
        await signature(2),
        await signature(1, hashlib.sha256(b"another").digest()),
        "MEUC",
        "?",
        "ü",
    ):
        order = request.order(document(sig_sha256_ecdsa=text))
        await araises(
            ValueError, "0 of 1 signatures by root 4", afr.manifest(order, DIGEST, root(), 7, Python())
        )


def test_products_that_take_none():
    afr._check(Settings, root())
    raises(ValueError, "asks for 2 signatures", afr._check, Settings, root(threshold=2))

    class Others:
        UPDATE_AFR = False

    raises(ValueError, "UPDATE_AFR", afr._check, Others, root())
