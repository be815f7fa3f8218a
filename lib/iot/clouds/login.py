"""How a thing shows a cloud other than AWS who it is, again and again. Imported for the moment."""

import asyncio
import time

from micropython import const

from iot.events import within
from iot.memory import borrow
from iot.mqtt.packet import MQTTError

_RENEWED_PART = const(85)  # percent of a login's life after which the next one takes its place
_ANSWERS_MS = const(5000)
_ANSWERS_LOOK_MS = const(20)


async def login(cloud):
    """As Cloud.login."""
    secrets = cloud.store().certificates()
    try:
        found = borrow(cloud.profile).login(cloud.section, cloud.name, secrets, time.time())
        if hasattr(found, "send"):  # a signature takes its time
            found = await found
    except ValueError as error:
        raise MQTTError("no login: " + str(error))
    user, password, lasts_s, *client_id = found or (None, None, 0)
    cloud.ends_ms = lasts_s and cloud.log.uptime_ms() + lasts_s * 10 * _RENEWED_PART
    if client_id:
        cloud.client.client_id = client_id[0]
    return None if user is None else (user, password)


def credentials(store):
    """As Cloud.credentials."""
    _, certificate, key = store.thing()
    return store.certificates()["root_ca"], certificate, key if certificate else None


async def renew(cloud):
    """Ends a connection before its login ends, once all that was sent is answered: so none of it is sent
    twice. What else there is waits in the outbox.
    """
    outbox = cloud.client.outbox
    window, outbox.window = outbox.window, 0
    try:
        await within(_ANSWERS_MS, _answered(outbox))
        cloud.log.info("cloud", "the login is renewed")
        cloud.is_renewing = True
        await cloud.client.disconnect()
    finally:
        outbox.window = window


async def _answered(outbox):
    """Until nothing that was sent waits for its answer."""
    while any([receipt.state for receipt in outbox.receipts]):
        await asyncio.sleep_ms(_ANSWERS_LOOK_MS)
