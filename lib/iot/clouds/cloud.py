"""A thing's way to a cloud other than AWS, which its profile describes (docs/clouds.md).

What stays in memory of it; what it does once in a while is in iot.clouds.sending, login and arrivals.
"""

import asyncio

from micropython import const

from iot.memory import borrow
from iot.mqtt.client import Client

_SENDING = const("iot.clouds.sending")
_WHOLE = const("iot.clouds.whole")
_LOOK_MS = const(1000)


class CloudClient(Client):
    """An MQTT Client for clouds that take less than MQTT has, and want a login.

    What the application says goes through the cloud's profile; what services say, as they say it.

    Args:
        owner: the Cloud; its `profile` knows what the cloud takes, its `login` is awaited for each CONNECT:
            user name and password in bytes, or None.
        client_id, arguments: as Client's.

    Attributes:
        own: the filter of what the cloud keeps for the thing, None where it keeps nothing.
    """

    own = None

    def __init__(self, owner, client_id, *arguments):
        Client.__init__(self, "-", *arguments)
        self.client_id = client_id  # which may be longer than AWS takes
        self.owner = owner
        self.login = owner.login

    def publish(self, topic, payload, qos=0, retain=False):
        """As Client; ValueError for what the cloud does not take, in words."""
        if topic != self.telemetry or self.owner.wraps or qos > 1 or retain:
            payload = borrow(_SENDING).checked(self, topic, payload, qos, retain)
        return Client.publish(self, topic, payload, qos, retain)

    def post(self, topic, payload, retain=False):
        """Queues a service's message of QoS 1, unchecked; as `publish` of Client."""
        return borrow(_SENDING).post(self, topic, payload, retain)

    def subscribe(self, topic_filter, qos=1, depth=8, put=None):
        """As Client; ValueError for what the cloud does not take, in words.

        Where the cloud keeps messages for the thing, None takes those, and what it returns has `properties`:
        a function that makes {name: value} of a message's topic.
        """
        if put is None:
            topic_filter, qos = borrow(_SENDING).checked_filter(self, topic_filter, qos)
        subscription = Client.subscribe(self, topic_filter, qos, depth, put)
        if topic_filter and topic_filter == self.own:
            subscription.properties = self.properties
        return subscription

    def properties(self, topic):
        """What stands in a message's topic, as {name: value}."""
        return borrow(self.owner.profile).properties(topic)


class Cloud:
    """Keeps the thing connected, with a login that is renewed before it ends; made by iot.clouds.entry.

    Args:
        section: of the configuration.
        name: the thing's.
        profile: the name of the module.
        store: called for the Store with its secrets.
        log: a Log.
        notify: as for iot.aws.cloud.Cloud.

    Attributes:
        client: the CloudClient.
        section, name, profile, store, log, notify: as given.
        opener, turns: of requests by HTTPS (iot.work.aside).
        certificate_ends: None.
        wraps: whether telemetry has a form of the cloud's own.
        whole: what iot.clouds.whole remembers where the cloud has a state whole or not at all, else None.
        heard: the Subscriptions of services.
        takers: by kind of what comes, "state", "command" or "job", the Shadow, the Commands or the Jobs.
        ends_ms, again_ms: of the Log's time: when the login is renewed, and when the state is asked for once
            more; 0: never.
        is_renewing: whether a connection ends for that.
        refusals: after so many in a row the thing is provisioned anew; 0: never.
    """

    certificate_ends = whole = None
    wraps = is_renewing = False
    ends_ms = again_ms = refusals = 0

    def __init__(self, section, name, profile, store, log, notify):
        self.section, self.name, self.profile = section, name, profile
        self.turns, self.takers = [], {}
        self.opener = self.client = self.heard = None
        self.store, self.log, self.notify = store, log, notify

    async def run(self):
        """Stays connected, whenever network and clock are there."""
        try:
            self.opener.prepare()  # takes a second, in which the radio connects
        except (OSError, ValueError, MemoryError):
            pass  # the first connection tries again, and tells
        watch = asyncio.create_task(self._watch())
        try:
            while True:
                self.is_renewing = False
                await self.client.run()
                if not self.is_renewing:
                    return
        finally:
            watch.cancel()

    async def _watch(self):
        while True:
            await asyncio.sleep_ms(_LOOK_MS)
            now_ms = self.log.uptime_ms()
            if 0 < self.again_ms < now_ms:
                self.again_ms = 0
                self.look()
            if 0 < self.ends_ms < now_ms and self.client.connected and not self.turns:
                try:
                    await borrow("iot.clouds.login").renew(self)
                except Exception as error:  # such as no memory for it: the cloud hangs up in time
                    self.log.exception("cloud", "renewal", error)

    async def login(self):
        """User name and password for a CONNECT, made now; None where the certificate says who it is."""
        return await borrow("iot.clouds.login").login(self)

    def credentials(self):
        """Root certificates, certificate and key for a connection."""
        return borrow("iot.clouds.login").credentials(self.store())

    def on_client(self, event, detail):
        """Takes what the client tells."""
        if event != "published":
            self.notify("connecting", event == "connecting")
        if event == "connecting":
            return
        if event == "connected":
            self.log.info("cloud", "connected, session kept: {}", detail)
            event = "cloud_up"
        elif event == "disconnected":
            self.log.warning("cloud", "disconnected: {}", detail)
            if detail.startswith("refused"):
                borrow("iot.clouds.refusal").tell(self, detail)
            event = "cloud_down"
        self.notify(event, detail)

    def put(self, message):
        """Takes what comes for a service."""
        try:
            borrow("iot.clouds.arrivals").take(self, *message)
        except Exception as error:  # such as no memory for it: it must not end the connection
            self.log.exception("cloud", message[0], error)

    def look(self):
        """There is a connection: the state is asked for, or where it comes with a subscription, that is."""
        borrow(_SENDING).look(self)

    def report(self, state):
        """Reports a part of the thing's state; what is returned tells of it once it is awaited, and is false
        where the outbox has no room.

        Raises:
            ValueError: JSON has no word for it, or no message has room for it.
        """
        return borrow(_WHOLE if self.whole else _SENDING).report(self, state)
