"""The way to AWS IoT Core: by the claim certificate to one of its own, and with that to the broker."""

import asyncio
import gc

from micropython import const

from iot import tls
from iot.backoff import Backoff
from iot.mqtt.client import Client
from iot.mqtt.packet import MQTTError

_CLAIM_PACKET_LIMIT = const(6144)  # an answer with an RSA key in PEM has about 4 KB
_CLAIM_OUTBOX_BYTES = const(2048)
_PROVISION_FIRST_MS = const(2000)
_PROVISION_MOST_MS = const(300000)


class Link:
    """Makes the clients of the claim and of the thing, and tells when a certificate is refused for good.

    Args:
        aws: the section `aws` of the configuration, without certificates.
        store: the Store that holds the certificates.
        device_id: client id while provisioning, and the parameter SerialNumber.
        settings: the product's settings, for the limits of the connection.
        ready: a coroutine function that returns when network and clock are there.
        log: a Log.
        notify: called with ("cloud_up", session_present), ("cloud_down", reason), ("published", packet id),
            ("provisioned", thing name), ("provisioning_failed", reason) and ("certificate_refused", reason).
    """

    def __init__(self, aws, store, device_id, settings, ready, log, notify):
        self._aws = aws
        self._store = store
        self._device_id = device_id
        self._settings = settings
        self._ready = ready
        self._log = log
        self._notify = notify
        self.client = None
        self.name = None

    def open(self):
        """Makes the thing's client where the thing has a certificate; returns the thing's name or None."""
        thing = self._store.thing()
        if thing is None:
            return None
        self.name = thing[0]
        self.client = Client(
            self.name,
            self._opener(self._own),
            self._log,
            notify=self._on_client,
            ready=self._ready,
            keep_alive_s=self._settings.KEEP_ALIVE_S,
            window=self._settings.WINDOW,
            outbox_bytes=self._settings.OUTBOX_BYTES,
            packet_limit=self._settings.PACKET_LIMIT,
        )
        return self.name

    async def run(self):
        """Stays connected as the thing, whenever network and clock are there."""
        await self.client.run()

    def probe(self):
        """The network is back: a connection that did not survive shall end soon."""
        if self.client:
            self.client.probe()

    def status(self):
        """What `status` on the console shows of the connection and its drops."""
        client = self.client
        if client is None:
            return {"thing": None, "cloud": False}
        outbox, inbox = client.outbox, client.inbox
        return {
            "thing": self.name,
            "cloud": client.connected,
            "queued": len(outbox),
            "dropped": outbox.refused + outbox.lost + inbox.oversize + inbox.unclaimed + inbox.overflowed,
        }

    async def close(self):
        """Takes leave of the broker, so that it sends no last will."""
        if self.client:
            await self.client.disconnect()

    async def provision(self, tries=None):
        """Earns the thing's certificate with the claim's and stores it.

        Args:
            tries: after so many that failed it gives up, with "provisioning_failed"; None: never.
        """
        from iot.aws.provisioning import ProvisioningError  # once in a device's life

        backoff = Backoff(_PROVISION_FIRST_MS, _PROVISION_MOST_MS)
        tried = 0
        while tried != tries:
            await self._ready()
            try:
                self._notify("provisioned", await self._provision_once())
                return
            # OSError: flash; ValueError: what came is no certificate.
            except (OSError, ValueError, MQTTError, ProvisioningError) as error:
                self._log.warning("provisioning", "{}; will start over", error)
            gc.collect()  # what the broken-off try took for TLS makes room for the next
            tried += 1
            await asyncio.sleep_ms(backoff.next_ms())
        self._notify("provisioning_failed", "after {} tries".format(tried))

    async def _provision_once(self):
        from iot.aws.provisioning import Provisioning

        client = Client(
            self._device_id,
            self._opener(self._claim),
            self._log,
            clean=True,
            packet_limit=_CLAIM_PACKET_LIMIT,
            outbox_bytes=_CLAIM_OUTBOX_BYTES,
        )
        try:
            self._log.info("provisioning", "connecting with the claim certificate")
            await client.connect()
            self._log.info("provisioning", "asking for keys and a certificate")
            provisioning = Provisioning(client, self._aws["template"])
            name, certificate, key = await provisioning.run(self._parameters())
        finally:
            await client.disconnect()
        self._store.save_thing(self._aws["endpoint"], name, certificate, key)
        return name

    def _parameters(self):
        """The template's parameters: those configured, "{id}" being the device's id, or its serial number."""
        configured = self._aws["parameters"] or {"SerialNumber": "{id}"}
        return {name: value.replace("{id}", self._device_id) for name, value in configured.items()}

    def _claim(self):
        certificates = self._store.certificates()
        return certificates["root_ca"], certificates["claim_certificate"], certificates["claim_key"]

    def _own(self):
        _, certificate, key = self._store.thing()
        return self._store.certificates()["root_ca"], certificate, key

    def _opener(self, load):
        """A function that opens a stream; the SSLContext is built the first time and then reused."""
        open_stream = None

        async def open_with_context():
            nonlocal open_stream
            if open_stream is None:
                context = tls.context(*load())
                open_stream = tls.opener(self._aws["endpoint"], self._aws["port"], context)
            return await open_stream()

        return open_with_context

    def _on_client(self, event, detail):
        if event == "connected":
            self._notify("cloud_up", detail)
        elif event == "disconnected":
            self._notify("cloud_down", detail)
            if self.client.refusals >= self._settings.REFUSALS_FOR_GOOD and "template" in self._aws:
                self._notify("certificate_refused", detail)
        else:
            self._notify(event, detail)
