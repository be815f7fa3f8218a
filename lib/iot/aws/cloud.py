"""The way of the thing to AWS IoT Core, in the terms of the system."""

import json

from micropython import const

from iot import tls
from iot.memory import borrow
from iot.mqtt.client import Client

# A certificate is on trial for so many attempts, of which one that the broker refuses counts as 7.
_TRIAL = const(21)
_TAIL = const(32)  # bytes of an answer, of which the last may be blank


def parsed(payload):
    """The JSON object in what a service says; None where there is none, or it is too large."""
    try:
        # MicroPython 1.25 takes a text that ends too early for a whole one.
        is_whole = payload and bytes(payload[-_TAIL:]).rstrip()[-1:] == b"}"
        document = json.loads(payload) if is_whole else None
    except (ValueError, RuntimeError, MemoryError):  # RuntimeError: hundreds of levels
        return None
    return document if isinstance(document, dict) else None


class Cloud:
    """Keeps the thing connected, and tells when its certificate is refused for good.

    Args:
        name: the thing's name.
        aws: the section `aws` of the configuration.
        store: called for the Store that has the thing's certificate.
        refusals: attempts in a row after which the certificate is refused for good; None: never. Whether it
            is then replaced, iot.aws.renewal decides.
        log: a Log.
        notify: called with ("connecting", whether), ("cloud_up", session_present), ("cloud_down", reason),
            ("starved", reason), ("published", packet id), ("certificate_refused", reason) and ("rotated",
            None) where the certificate before this one counts again.
        ready: coroutine function that is awaited before each attempt: for network and clock.
        outbox, inbox: of iot.mqtt.queues, with the bounds of what goes out and of what comes in.
        keep_alive_s: 30 to 1200.

    Attributes:
        client: the MQTT Client.
        opener: of its streams, an Opener.
        turns: of requests by HTTPS, an Event for each, the one that is made first (iot.aws.aside).
        certificate_ends: of the thing's certificate, e.g. "2049-12-31T23:59:59Z"; None until it was read.
    """

    def __init__(self, name, aws, store, refusals, log, notify, ready, outbox, inbox, keep_alive_s=60):
        self.name = name
        self.opener = tls.Opener(aws["endpoint"], aws["port"], self._credentials)
        self.client = Client(
            name,
            self.opener.open,
            outbox,
            inbox,
            log,
            self._on_client,
            ready,
            keep_alive_s,
            is_starved=tls.is_starved,
        )
        self._store = store
        self._refusals = refusals
        self._log = log
        self._notify = notify
        self.turns = []
        self.certificate_ends = None
        self._doubted = False  # whether flash holds a reason for which certificates were refused
        self._trial = 0  # what is left of it; 0: the certificate counts

    async def run(self):
        """Stays connected, whenever network and clock are there."""
        try:
            self.opener.prepare()  # takes a second, in which the radio connects
        except (OSError, ValueError, MemoryError):
            pass  # the first connection tries again, and tells
        await self.client.run()

    def _credentials(self):
        store = self._store()
        credentials = store.thing_credentials()
        self._trial = _TRIAL if store.on_trial else 0
        self._doubted = bool((store.renewal() or b"\0")[0])
        try:
            self.certificate_ends = borrow("iot.crypto.x509").not_after(credentials[1])
        except ValueError as error:
            self.certificate_ends = str(error)
        return credentials

    def _on_client(self, event, detail):
        if event != "published":
            self._notify("connecting", event == "connecting")
        if event == "connecting":
            return
        if event == "connected":
            self._log.info("cloud", "connected, session kept: {}", detail)
            event = "cloud_up"
        elif event == "disconnected":
            self._log.warning("cloud", "disconnected: {}", detail)
            event = "cloud_down"
        self._notify(event, detail)
        if self._trial and event in ("cloud_up", "cloud_down"):
            is_kept = event == "cloud_up"
            self._trial -= self._trial if is_kept else 7 if " by the broker" in detail else 1
            if self._trial <= 0:
                self._trial = 0
                borrow("iot.aws.rotation").settle(self._store(), is_kept, self._log, self._notify)
        elif event == "cloud_up" and self._doubted:
            borrow("iot.aws.renewal").connected(self._store())
            self._doubted = False
        elif event == "cloud_down" and self._refusals and " by the broker" in detail:
            refusals = self.client.refusals
            if refusals and refusals % self._refusals == 0:
                borrow("iot.aws.renewal").refused(self._store(), detail, self._log, self._notify)
