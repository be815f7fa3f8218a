"""A thing's way to a cloud other than AWS, which its profile describes (docs/clouds.md)."""

import asyncio
import time

from micropython import const

from iot import tls
from iot.clouds.client import CloudClient
from iot.memory import borrow

_RENEWED_PART = const(85)  # percent of a login's life after which the next one takes its place
_LOOK_MS = const(1000)
_FLUSH_MS = const(5000)


class Cloud:
    """Keeps the thing connected, with a login that is renewed before it ends.

    Args:
        kind: the configuration's section.
        section: that.
        name: the thing's.
        store: called for the Store with its secrets.
        log: a Log.
        notify: as for iot.aws.cloud.Cloud.
        ready: coroutine function that is awaited before each attempt: for network and clock.
        outbox, inbox: of iot.mqtt.queues.

    Attributes:
        client: the CloudClient.
        section, name, profile: that, and the name of its profile's module.
        log: as given.
        opener, turns: of requests by HTTPS (iot.work.aside).
        certificate_ends: None.
        wraps: whether telemetry has a form of the cloud's own.
        takers: by kind of what comes, "state", "command" or "job", who is called with what the profile
            makes of it.
    """

    def __init__(self, kind, section, name, store, log, notify, ready, outbox, inbox):
        self.section, self.name = section, name
        self.profile = "iot." + ("broker" if kind == "mqtt" else kind) + ".profile"
        self.turns, self.takers = [], {}
        self.certificate_ends = None
        self._store, self.log, self._notify = store, log, notify
        self._lasts_s = self._since_ms = 0
        self._is_renewing = False
        way = borrow(self.profile).way(section, name, store().hub())
        self.wraps = way.get("wraps", False)
        self.opener = tls.Opener(way["host"], section["port"], self._credentials)
        self.client = client = CloudClient(
            self,
            way["client_id"],
            self.opener.open,
            outbox,
            inbox,
            log,
            self._on_client,
            ready,
            way["keep_alive_s"],
        )
        client.is_starved = tls.is_starved
        client.telemetry, client.will = way["telemetry"], way.get("will")
        for topic_filter, qos in way["filters"]:
            client.hear(topic_filter, qos, self._put)

    async def run(self):
        """Stays connected, whenever network and clock are there."""
        try:
            self.opener.prepare()  # takes a second, in which the radio connects
        except (OSError, ValueError, MemoryError):
            pass  # the first connection tries again, and tells
        renewal = asyncio.create_task(self._renew())
        try:
            while True:
                self._is_renewing = False
                await self.client.run()
                if not self._is_renewing:
                    return
        finally:
            renewal.cancel()

    async def _renew(self):
        """Ends each connection before its login ends; the outbox keeps what is on its way."""
        while True:
            await asyncio.sleep_ms(_LOOK_MS)
            lasts_ms = self._lasts_s * 10 * _RENEWED_PART
            is_due = lasts_ms and self.log.uptime_ms() - self._since_ms > lasts_ms
            if is_due and self.client.connected and not self.turns:
                await self.client.flush(_FLUSH_MS)
                self.log.info("cloud", "the login is renewed")
                self._is_renewing = True
                await self.client.disconnect()

    def login(self):
        """User name and password for a CONNECT, made now; None where the certificate says who it is."""
        secrets = self._store().certificates()
        found = borrow(self.profile).login(self.section, self.name, secrets, time.time())
        user, password, self._lasts_s = found or (None, None, 0)
        self._since_ms = self.log.uptime_ms()
        return None if user is None else (user, password)

    def _credentials(self):
        store = self._store()
        _, certificate, key = store.thing()
        return store.certificates()["root_ca"], certificate, key if certificate else None

    def _on_client(self, event, detail):
        if event == "published":
            self._notify(event, detail)
            return
        self._notify("connecting", event == "connecting")
        if event == "connected":
            self.log.info("cloud", "connected, session kept: {}", detail)
            self._notify("cloud_up", detail)
        elif event == "disconnected":
            self.log.warning("cloud", "disconnected: {}", detail)
            self._notify("cloud_down", detail)
        elif event == "starved":
            self._notify(event, detail)

    def _put(self, message):
        """What comes for a service."""
        try:
            borrow("iot.clouds.arrivals").take(self, *message)
        except Exception as error:  # such as no memory for it: it must not end the connection
            self.log.exception("cloud", message[0], error)

    def look(self):
        """There is a connection: where state has to be asked for, it is."""
        message = borrow(self.profile).ask(self.section, self.name)
        if message:
            self.client.post(*message)
