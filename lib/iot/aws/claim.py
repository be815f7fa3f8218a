"""Earns the thing's own certificate with the claim certificate: once in a device's life."""

import asyncio
import gc
import os
import time

from micropython import const

from iot import tls
from iot.aws.provisioning import Provisioning, ProvisioningError, parameters
from iot.backoff import Backoff
from iot.memory import borrow
from iot.mqtt.client import Client
from iot.mqtt.packet import Framer, MQTTError, Refused
from iot.mqtt.queues import Inbox, Outbox

_OUTBOX_BYTES = const(2048)
_WINDOW = const(1)
_PACKET_BYTES = const(6144)  # an answer with an RSA key in PEM has about 4 KB
_FIRST_MS = const(2000)
_MOST_MS = const(300000)
_COMMON_NAME_MAX = const(64)


class Claim:
    """Provisions until it has worked.

    Args:
        aws: the section `aws` of the configuration, without certificates.
        store: called for the Store that takes what is earned.
        device_id: the parameter SerialNumber, and after "claim-" the client id: with the thing's own, whoever
            has the claim's key could throw the thing off and take what is kept for it.
        ready: a coroutine function that returns when network and clock are there.
        counts: of what does not get through, as iot.mqtt.queues has them.
        log: a Log.
        on_trial: whether the thing has a certificate that is to stay until this one has connected.
        buffers: of the outbox and of what comes in, as iot.bt_memory has them; None makes each try some.
    """

    def __init__(self, aws, store, device_id, ready, counts, log, on_trial=False, buffers=None):
        self._aws = aws
        self._store = store
        self._device_id = device_id
        self._opener = tls.Opener(aws["endpoint"], aws["port"], self._credentials)
        self._ready = ready
        self._counts = counts
        self._log = log
        self._on_trial = on_trial
        self._ring, self._buffer = buffers or (None, None)
        self._own = None  # a key, for all tries of this life, and the request for its certificate

    async def run(self, tries, notify):
        """Calls `notify` with ("provisioned", thing name) or ("provisioning_failed", reason), and meanwhile
        with ("connecting", whether), ("unreached", reason) for each try that failed, and ("starved", reason).

        Args:
            tries: after so many that failed it gives up; None: never.
        """
        backoff = Backoff(_FIRST_MS, _MOST_MS)
        tried = 0
        while tried != tries:
            await self._ready()
            wait_s = self._pause_s()
            if wait_s:
                self._log.warning("provisioning", "the next try is due in {} min", (wait_s + 59) // 60)
                if tries:
                    break
                await asyncio.sleep(wait_s)
                continue
            name = await self._try(notify)
            if name:
                notify("provisioned", name)
                return
            gc.collect()  # what the broken-off try took for TLS makes room for the next
            tried += 1
            await asyncio.sleep_ms(backoff.next_ms())
        borrow("iot.work.provisioning").given_up(tried, self._log, notify)

    async def _try(self, notify):
        """The thing's name once all is stored, or None."""
        try:
            if self._own is None and self._aws["keys"] != "service":
                # Where the radio is on, os.urandom gives what is random; and TLS is not there yet.
                self._log.info("provisioning", "making a key")
                name = self._device_id[-_COMMON_NAME_MAX:]
                self._own = await borrow("iot.crypto.csr").make(os.urandom, name)
                gc.collect()
            notify("connecting", True)
            name = await self._provision()
            self._log.info("provisioning", 'this is thing "{}"', name)
            return name
        # OSError: flash; ValueError: what came is no certificate.
        except (OSError, ValueError, MemoryError, MQTTError, ProvisioningError) as error:
            reason = str(error)
            if isinstance(error, Refused):
                reason += self._end()
            borrow("iot.work.provisioning").failed(error, reason, self._log, notify)
        finally:
            notify("connecting", False)

    async def _provision(self):
        provisioning = Provisioning(self._aws["template"])
        client = Client(
            "claim-" + self._device_id,
            self._opener.open,
            Outbox(_OUTBOX_BYTES, _WINDOW, self._counts, self._ring),
            Inbox(Framer(_PACKET_BYTES, self._buffer), self._counts),
            self._log,
            provisioning.on_client,
            clean=True,
            is_starved=tls.is_starved,
        )
        try:
            self._log.info("provisioning", "connecting with the claim certificate")
            await client.connect()
            borrow("iot.aws.renewal").asked(self._store())
            what = "a certificate" if self._own else "keys and a certificate"
            self._log.info("provisioning", "asking for {}", what)
            asked = parameters(self._aws, self._device_id)
            name, certificate, key = await provisioning.run(client, asked, self._own)
        finally:
            await client.disconnect()
        self._store().save_thing(self._aws["endpoint"], name, certificate, key, self._on_trial)
        return name

    def _pause_s(self):
        try:
            return borrow("iot.aws.renewal").pause_s(self._store())
        except (OSError, MemoryError):
            return 0  # the try tells

    def _credentials(self):
        return self._store().claim_credentials()

    def _end(self):
        """Of a claim that is refused: whether its time is over, as far as it tells."""
        try:
            ends = borrow("iot.crypto.x509").not_after(self._credentials()[1])
        except (OSError, ValueError, MemoryError):
            return ""
        if ends < "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z".format(*time.gmtime()[:6]):
            return "; the claim's certificate has expired, on " + ends
        return "; a claim that was made for minutes may have expired"
