"""The way to AWS IoT Core: by the claim certificate to one of its own, and with that to the broker."""

from iot import tls
from iot.mqtt.client import Client


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
        self._own_opener = None
        self.client = None
        self.name = None

    def open(self):
        """Makes the thing's client where the thing has a certificate; returns the thing's name or None."""
        thing = self._store.thing()
        if thing is None:
            return None
        self.name = thing[0]
        self._own_opener = self._opener(self._own)
        self.client = Client(
            self.name,
            self._own_opener.open,
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
        try:
            self._own_opener.prepare()  # takes a second, in which the radio connects
        except (OSError, ValueError):
            pass  # the first connection tries again, and tells
        await self.client.run()

    def probe(self):
        """The network is back: a connection that did not survive shall end soon."""
        if self.client:
            self.client.probe()

    async def close(self):
        """Takes leave of the broker, so that it sends no last will."""
        if self.client:
            await self.client.disconnect()

    async def provision(self, tries=None):
        """Earns the thing's certificate with the claim's and stores it.

        Args:
            tries: after so many that failed it gives up, with "provisioning_failed"; None: never.
        """
        from iot.claim import Claim  # once in a device's life

        open_stream = self._opener(self._claim).open
        claim = Claim(self._aws, self._store, self._device_id, open_stream, self._ready, self._log)
        await claim.run(tries, self._notify)

    def _claim(self):
        certificates = self._store.certificates()
        return certificates["root_ca"], certificates["claim_certificate"], certificates["claim_key"]

    def _own(self):
        _, certificate, key = self._store.thing()
        return self._store.certificates()["root_ca"], certificate, key

    def _opener(self, load):
        return tls.Opener(self._aws["endpoint"], self._aws["port"], load)

    def _on_client(self, event, detail):
        if event == "connected":
            self._notify("cloud_up", detail)
        elif event == "disconnected":
            self._notify("cloud_down", detail)
            if self.client.refusals >= self._settings.REFUSALS_FOR_GOOD and "template" in self._aws:
                self._notify("certificate_refused", detail)
        else:
            self._notify(event, detail)
