"""Replaces the thing's certificate by one for a new key. Imported for the moment and forgotten.

The new one is stored beside the old one and tried at the next start, since the chip has no memory for a
second TLS connection in the same life. Once the broker has taken it, it counts; one that is not taken is
thrown away, and the old one goes on, as after a cut of power at any point. Where the thing's policy does not
allow the calls, the claim makes them.
"""

import asyncio
import binascii
import hashlib
import os
import time

from micropython import const

from iot.memory import borrow

_TASK = const("rotation")
_COMMON_NAME_MAX = const(64)


class RotationError(Exception):
    """There is no new certificate; the text says at which step and why. The old one is as it was."""


async def rotate(system):
    """Has a new certificate stored, on trial from the next start on, to which the caller leads.

    It takes some seconds of calculations, in turns with the loop, and one connection: it has to be there. It
    may be broken off at any time.

    Args:
        system: the System, in mode NORMAL.

    Returns:
        Whether a new certificate is stored; else the claim has to ask for it, and the mode is being left.

    Raises:
        RotationError: refused, no answer, or not to be done with this configuration.
        OSError, ValueError: flash is full or fails.
    """
    config, cloud, log = system.stored["config"], system.cloud, system.log
    aws = config["aws"]
    if "template" not in aws or "thing_name" in aws:
        raise RotationError("the certificate is the configuration's, and is replaced there")
    renewal = borrow("iot.aws.renewal")
    wait_s = renewal.pause_s(system.store())
    if wait_s:
        raise RotationError("the next certificate is due in {} min".format((wait_s + 59) // 60))
    if aws["keys"] == "service":  # whose answer is larger than what a thing takes in
        return _by_claim(system)
    log.info("rotation", "making a key")
    own = await borrow("iot.crypto.csr").make(os.urandom, cloud.name[-_COMMON_NAME_MAX:])
    renewal.asked(system.store())
    # Only now: beside the arithmetic there is no room for it.
    module = borrow("iot.aws.provisioning")
    provisioning = module.Provisioning(aws["template"])

    def lost(reason):
        provisioning.on_client("disconnected", reason)

    system.events.on("cloud_down", lost)
    try:
        log.info("rotation", "asking for a certificate")
        asked = module.parameters(aws, system.device_id)
        name, certificate, key = await provisioning.run(cloud.client, asked, own)
    except module.NotAllowed as error:
        log.warning("rotation", "{}", error)
        return _by_claim(system)
    except module.ProvisioningError as error:
        raise RotationError(str(error))
    finally:
        system.events.off("cloud_down", lost)
    if name != cloud.name:
        raise RotationError("the template made another thing of it: " + name)
    store = system.store()
    store.save_thing(aws["endpoint"], name, certificate, key, True)
    log.info("rotation", "a new certificate is stored, and tried at the next start")
    return True


def certificate_id(store):
    """Of the certificate that the thing has now, on trial or not: AWS's certificateId."""
    return _id(store.thing())


def is_renewed(store, before):
    """Whether another certificate than the one of the id `before` counts; None while one is on trial."""
    if store.on_trial:
        return None
    return _id(store.thing()) != before


def settle(store, is_kept, log, notify):
    """The trial is over: with `is_kept` False it tells ("rotated", None), for the old certificate counts."""
    store.settle(is_kept)
    renewal = borrow("iot.aws.renewal")
    if is_kept:
        renewal.connected(store)
        log.info("rotation", "the new certificate is taken, and the old one forgotten")
    else:
        renewal.failed(store)
        log.warning("rotation", "the new certificate is not taken, and thrown away")
        notify("rotated", None)


def look(system):
    """Begins a rotation where the thing's certificate ends within the settings' ROTATE_DAYS."""
    days, cloud = system.settings.ROTATE_DAYS, system.cloud
    if not days or not cloud.client.connected or _TASK in system.tasks:
        return
    if "template" not in system.stored["config"].get("aws", ()):
        return
    try:
        end = _day(*[int(part) for part in cloud.certificate_ends[:10].split("-")])
    except ValueError:  # nobody can read when it ends
        return
    left = end - _day(*time.gmtime()[:3])
    if left <= days:
        system.log.info("rotation", "the certificate ends in {} days", left)
        system.tasks[_TASK] = asyncio.create_task(_rotate(system))


async def _rotate(system):
    try:
        if await rotate(system):
            system.tell("rotated")
    except (OSError, ValueError, MemoryError, RotationError) as error:
        system.log.warning("rotation", "{}; will try again in a day", error)


def _by_claim(system):
    system.log.info("rotation", "the claim asks for it")
    system.tell("rotation_by_claim")
    return False


def _id(thing):
    return str(binascii.hexlify(hashlib.sha256(thing[1]).digest()), "ascii") if thing else ""


def _day(year, month, day):
    """The number of a day, from any one on; of time.mktime's seconds there may be too many."""
    year -= month < 3
    month = (month + 9) % 12  # from March on
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day
