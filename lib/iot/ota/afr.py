"""AWS's own OTA jobs, whose documents have `afr_ota`, as updates of the application. In memory for a moment.

What is signed there is the file alone, by one key: no product, chip, counter or time stands in it. So such a
job counts only where a product's settings have it so, and its root asks for one signature.
"""

import binascii
import hashlib

from micropython import const

from iot.memory import borrow
from iot.ota import app

_SIZE_MAX = const(196608)  # bytes of a slot
_SIGNATURE_MAX = const(128)  # characters of a DER in base64
_VERSION = const("afr-{}")
_VERSION_DIGITS = const(28)
_PACK = const(".pack")
_TEXT = const(
    "iot-update 1\nproduct {}\nkind app\nversion {}\ncounter {}\nexpires 2099-12-31T23:59:59Z\nchip {}\n"
    "micropython {}.{}.{}\nmpy {}\nsize {}\nsha256 {}\n"
)


def order(document):
    """What a job's document of this product's own would say in its place, for iot.ota.request.

    Its manifest is a version alone, by the signature, and `size` is that of the file. ValueError where the
    document is not what it has to be.
    """
    job = document["afr_ota"]
    files = job.get("files") if isinstance(job, dict) else None
    if not isinstance(files, list) or len(files) != 1 or not isinstance(files[0], dict):
        raise ValueError("afr_ota: not of one file")
    file, protocols = files[0], job.get("protocols")
    path, size, signature = file.get("filepath"), file.get("filesize"), file.get("sig-sha256-ecdsa")
    if not isinstance(path, str) or not path.endswith(_PACK):
        raise ValueError("filepath: not NAME.pack, which an update of the application is")
    if type(size) is not int or not 0 < size <= _SIZE_MAX:
        raise ValueError("filesize: not 1 to {}".format(_SIZE_MAX))
    if not isinstance(signature, str) or not 0 < len(signature) <= _SIGNATURE_MAX:
        raise ValueError("sig-sha256-ecdsa: not at most {} characters".format(_SIGNATURE_MAX))
    if not isinstance(protocols, list):
        raise ValueError("protocols: not a list")
    digest = binascii.hexlify(hashlib.sha256(signature.encode()).digest())
    found = {
        "manifest": _VERSION.format(str(digest, "ascii")[:_VERSION_DIGITS]),
        "signatures": [signature],
        "size": size,
    }
    if "HTTP" in protocols:
        found["url"] = file.get("update_data_url")
    elif "MQTT" in protocols:
        found["stream"] = {"id": job.get("streamname"), "file": file.get("fileid")}
    else:
        raise ValueError("protocols: neither HTTP nor MQTT")
    return found


def _check(settings, root):
    """Raises ValueError where this product takes no such jobs."""
    if not settings.UPDATE_AFR:
        raise ValueError("afr_ota: this product takes no jobs that sign the file alone (UPDATE_AFR)")
    if root["threshold"] != 1:
        text = "afr_ota: root {} asks for {} signatures, and such a job has one"
        raise ValueError(text.format(root["version"], root["threshold"]))


class Target(app.Target):
    """Takes the file, as iot.ota.app does.

    Args:
        space, buffer, log: as for that.
        found: the order.
        settings: the module firmware/settings.py.
        root, counter, python: as for `manifest`.

    Raises ValueError where this product takes no such jobs.
    """

    def __init__(self, space, found, buffer, log, settings, root, counter, python):
        _check(settings, root)
        self._order = found
        self._signed = root, counter, python
        log.warning("update", "{} is signed as a file alone, as AWS's own jobs are", found["text"])
        super().__init__(space, {"size": found["size"]}, buffer, log)

    async def finish(self):
        """As that of iot.ota.app, once it is known who has signed what flash has."""
        digest = self.digest()
        try:
            self._manifest = found = await manifest(self._order, digest, *self._signed)
            if borrow("iot.ota.kept").is_refused(self._space, found["sha256"]):
                raise ValueError("it has failed here before")
            self.check_form()
        except ValueError as error:
            app.slots.clear(self._slot)
            if self.start:  # what an earlier life has left may be torn
                raise OSError(str(error))
            raise error
        self.begin_trial()


async def manifest(found, digest, root, counter, python):
    """The manifest that such an update would have, as iot.ota.forms reads it.

    Args:
        found: the order.
        digest: SHA-256 of the file as flash has it.
        root: the one that counts, and counter: the device's; both of iot.ota.kept.
        python: sys.implementation.

    Raises ValueError where no key of the root has signed the file.
    """
    p256 = borrow("iot.crypto.p256")
    try:
        der = binascii.a2b_base64(found["signatures"][0])
    except ValueError:
        der = b""
    for key in root["keys"].values():
        p256.point(key)
        if await p256.verify(key, digest, der):
            break
    else:
        text = "0 of 1 signatures by root {}, of the file that begins with {} (arbitrary software)"
        raise ValueError(text.format(root["version"], str(binascii.hexlify(digest[:8]), "ascii")))
    text = _TEXT.format(
        root["product"],
        found["text"],
        counter,
        python._machine.rpartition(" with ")[2],
        *python.version[:3],
        python._mpy & 255,
        found["size"],
        str(binascii.hexlify(digest), "ascii"),
    )
    return borrow("iot.ota.forms").manifest(text)
