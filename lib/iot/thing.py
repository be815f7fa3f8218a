"""What the application is handed: the thing it runs on."""

from iot import memory


class Thing:
    """The application's view of the system. Every call returns at once or is a coroutine.

    Attributes:
        name: the thing's name in AWS IoT Core.
        version: the product's version, from firmware/settings.py.
        mode: the system's, one of iot.modes.
        config: the section `app` of the configuration, free for the application; empty in mode CONFIG.
        flash: the Flash with the application's 256 bytes.
        log: a Log.
        jobs: the Jobs of iot.aws.jobs; None where there is no cloud, in mode CONFIG.
    """

    def __init__(self, name, version, mode, config, flash, log, events, client, wifi, turn, jobs, service):
        self.name = name
        self.version = version
        self.mode = mode
        self.config = config
        self.flash = flash
        self.log = log
        self._events = events
        self._client = client
        self._wifi = wifi
        self._turn = turn
        self._packets = None
        self.jobs = jobs
        self._make_service = service
        self._services = {}
        self._start = None  # of the Application, which sets it
        self._handlers = []
        self._subscriptions = []

    @property
    def ble(self):
        """The Packets that go to and come from a phone. Bluetooth LE is on in mode CONFIG alone."""
        if self._packets is None:
            self._packets = self._make_service("packets")
        return self._packets

    @property
    def shadow(self):
        """The Shadow of iot.aws.shadow: the classic one; called with a name, the named one."""
        return self._service("shadow")

    @property
    def commands(self):
        """The Commands of iot.aws.commands."""
        return self._service("commands")

    @property
    def https(self):
        """A request by HTTPS: `status, headers, body = await thing.https("PUT", url, …)` (iot.work.aside)."""
        return self._make_service("https")

    def _service(self, kind):
        if not self.jobs:
            raise RuntimeError("no cloud in mode " + self.mode)
        if kind not in self._services:
            self._services[kind] = self._make_service(kind)
        return self._services[kind]

    def on(self, event, handler):
        """Calls `handler(detail)` on each `event`, one of iot.events.NAMES; handlers return at once."""
        self._events.on(event, handler)
        self._handlers.append((event, handler))

    def off(self, event, handler):
        """Stops calling `handler`; ValueError where it was not registered."""
        self._events.off(event, handler)
        self._handlers.remove((event, handler))

    def wait(self, event, timeout_ms=None):
        """Waits for the next `event` and returns its detail; asyncio.TimeoutError after `timeout_ms`."""
        return self._events.wait(event, timeout_ms)

    def run(self, coroutine):
        """Runs a coroutine as a part of the application; returns its task.

        It is cancelled when the application fails or its mode ends, and an error in it ends the application,
        all of which then starts again.
        """
        return self._start(coroutine)

    def telemetry(self, payload, qos=1):
        """Publishes to where the cloud has telemetry, with AWS IoT `telemetry/<thing name>`; as `publish`."""
        client = self._client
        return client.publish(client.telemetry, payload, qos)

    def publish(self, topic, payload, qos=0, retain=False):
        """Puts a message into the outbox, whether there is a connection or not.

        Args:
            topic: up to 256 bytes, 7 slashes (AWS IoT Core's limits), more in `$aws/…`.
            payload: bytes, str, or a dict or list that is sent as JSON.
            qos: 0 or 1.
            retain: True to have the broker keep it for later subscribers.

        Returns:
            A receipt: true where the outbox took it; awaited, it waits for the PUBACK. That is false for a
            message that the cloud hangs up on again and again: it is given up, and the log names its topic,
            to which no more goes for ten minutes. After such an end QoS 0 is sent as QoS 1 for a while.

        Raises:
            ValueError: the topic is not valid, the message is larger than the outbox, or JSON has no word
                for a member, such as NaN.
        """
        return self._client.publish(topic, payload, qos, retain)

    def subscribe(self, topic_filter, qos=1, depth=8):
        """Subscribes, now and after every reconnection that needs it.

        Args:
            topic_filter: with `+` and `#` (MQTT 3.1.1, 4.7), up to 256 bytes, 7 slashes, more in `$aws/…`.
            qos: 0 or 1.
            depth: messages kept for the application, of twice `PACKET_LIMIT` bytes together; when one more
                comes, the oldest is dropped and counted.

        Returns:
            An asynchronous iterator over (topic, payload), with `read()` for those who poll. One that the
            cloud hangs up on again and again is given up for ten minutes, and the log names its filter.

        Raises:
            ValueError: the filter is not valid.
        """
        subscription = self._client.subscribe(topic_filter, qos, depth)
        self._subscriptions.append(subscription)
        return subscription

    def inbox(self, depth=8):
        """What comes and no subscription takes, as AWS IoT Core's direct messages do.

        Args and returns: as `subscribe`; the latest call gets them. Without one such a message waits 10 s
        for who subscribes late, is then acknowledged, counted as dropped, and told in the log by its topic.
        """
        return self.subscribe(None, 0, depth)

    def rssi(self):
        """Wi-Fi signal strength in dBm, or None while there is no connection."""
        return self._wifi.rssi() if self._wifi else None

    def heap_free(self):
        """Bytes free in the heap, uncollected garbage apart; gc.mem_free() also counts what Wi-Fi needs."""
        return memory.heap_free()

    def restart(self, reason="asked by the application"):
        """Flushes what is to be written, takes leave of the cloud and resets the chip."""
        self._turn("restart", reason)

    def factory_reset(self):
        """Forgets configuration and certificate, and restarts into CONFIG mode. The 256 bytes stay."""
        self._turn("factory_reset", "factory reset")

    def close(self):
        """Lets go of handlers and subscriptions: the system calls it when the application has ended."""
        while self._handlers:
            self._events.off(*self._handlers.pop())
        while self._subscriptions:
            self._subscriptions.pop().close()
        if self.jobs:
            self.jobs.handlers.clear()
        while self._services:
            self._services.popitem()[1].close()
