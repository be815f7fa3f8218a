"""Whether an update, or the root that is to follow, is signed and for this device. In memory for a moment.

What it needs is borrowed in turn: beside the arithmetic there is little room.
"""

import binascii
import hashlib
import sys

from micropython import const

from iot.memory import borrow

_LOOKED_AT = const(10)  # signatures


async def manifest(text, signatures, root, counter, now, python=sys.implementation):
    """What a manifest says, as iot.ota.forms reads it, where it is signed and for this device.

    It takes some 0.3 s a signature, in turns with the loop.

    Args:
        text: the exact text that was signed.
        signatures: list of str, each the id of a key, a colon and the DER in base64.
        root: the one that counts, and counter: the device's; both of iot.ota.kept.
        now: year, month, day, hour, minute and second in UTC; what follows is not looked at.
        python: what the device says of its MicroPython.

    Raises:
        ValueError: it is refused. The text names line and value and, where it would be one, the attack as TUF
            calls it; of what is not signed it only tells which line is not in its form.
    """
    found = borrow("iot.ota.forms").manifest(text)
    await _check(found["text"], signatures, root)
    borrow("iot.ota.forms").judge(found, root["product"], counter, now, python)
    return found


async def next_root(text, signatures, root):
    """What a root says, where it follows on `root` and is signed by keys of both.

    It may be `root` itself, too: a cut of power may have come before its job was told of it. Arguments and
    errors as for `manifest`; it takes twice as many signatures.
    """
    found = borrow("iot.ota.forms").root(text, root["product"])
    if found["text"] == root["text"]:
        return found
    for signer in (root, found):
        await _check(found["text"], signatures, signer)
    version, own = found["version"], root["version"]
    if version != own + 1:
        attack = "rollback" if version <= own else "fast-forward"
        raise ValueError("version {}: this device has {} ({})".format(version, own, attack))
    return found


async def _check(text, signatures, root):
    """Raises ValueError unless as many keys of a root have signed `text` (bytes) as it asks for."""
    if not isinstance(signatures, list):
        raise ValueError("signatures: not a list")
    p256 = borrow("iot.crypto.p256")
    keys, threshold = dict(root["keys"]), root["threshold"]
    for key in keys.values():
        p256.point(key)
    digest = hashlib.sha256(text).digest()
    good = others = 0
    for signature in signatures[:_LOOKED_AT]:
        name, _, base64 = str(signature).partition(":")
        try:
            der = binascii.a2b_base64(base64)
        except ValueError:
            der = b""
        if name not in keys:
            others += 1
        elif await p256.verify(keys[name], digest, der):
            del keys[name]  # it counts once
            good += 1
            if good == threshold:
                return
    attack = "keys below the threshold" if good else "arbitrary software"
    text = "{} of {} signatures by root {}, {} by others ({})"
    raise ValueError(text.format(good, threshold, root["version"], others, attack))
