"""The rescue's own way to the cloud: Wi-Fi, a clock, and TLS below the frozen umqtt.simple.

No line of it is shared with the normal way: what is broken there works here. Its steps block, each with a
deadline, and the watchdog is fed in between.
"""

import asyncio
import errno
import json
import time

import machine
import network
import ntptime
import tls
from micropython import const
from umqtt.simple import MQTTClient

_UNSET = const("0.0.0.0")  # noqa: S104
_JOIN_MS = const(30000)
_POLL_MS = const(100)
_STEP_S = const(20)  # for each read and write: want of memory is silent
_KEEP_ALIVE_S = const(60)
_PING_MS = const(30000)
_SILENT_MS = const(75000)  # two pings without an answer
_ANSWER_MS = const(20000)
_KEPT = const(8)  # messages


def tell(text, *values):
    """A line on the console."""
    print("rescue:", text.format(*values))


async def join(networks, feed):
    """Whether it is, or gets, into one of these networks of the configuration."""
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    if wlan.isconnected():
        return True
    for one in networks:
        try:
            wlan.disconnect()
            if "static" in one:
                own = one["static"]
                gateway = own["gateway"]
                wlan.ifconfig((own["ip"], own["netmask"], gateway, own.get("dns", gateway)))
            elif wlan.ifconfig()[0] != _UNSET:  # that of the network before
                wlan.ipconfig(dhcp4=True)
            wlan.connect(one["ssid"], one["password"] or None)
            for _ in range(_JOIN_MS // _POLL_MS):
                feed()
                await asyncio.sleep_ms(_POLL_MS)
                if wlan.isconnected():
                    return True
        except (OSError, RuntimeError) as error:  # which of them, depends on ESP-IDF's number
            tell("Wi-Fi: {}", error)
    wlan.active(False)  # the next time it begins anew
    return False


def set_clock(hosts, least_s, feed):
    """Sets the chip's clock by the first of these servers that tells a time not before `least_s`.

    Where none does, the clock is at least set to that. Certificates are judged by it.
    """
    for _ in range(len(hosts)):
        feed()
        ntptime.host = hosts[0]
        hosts.append(hosts.pop(0))  # the first one's time may be what TLS speaks against
        try:
            now_s = ntptime.time()
        except Exception as error:  # the network's edge: another may do better
            tell("{}: {}: {}", ntptime.host, type(error).__name__, error)
            continue
        if now_s >= least_s:
            _write(now_s)
            return
    if time.time() < least_s:
        _write(least_s)


def context(root_ca, certificate=None, key=None):
    """An SSLContext that trusts `root_ca` alone: one behind the other in DER, or PEM; ValueError."""
    made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    made.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined] # the stubs lack it
    for one in (root_ca,) if root_ca[:1] == b"-" else _ders(root_ca):
        made.load_verify_locations(one)
    if certificate is not None:
        made.load_cert_chain(certificate, key)
    return made


class Connection:
    """One MQTT connection, and what umqtt.simple takes for an SSLContext and a socket: TLS with deadlines.

    Whatever a call raises, be it an AssertionError of umqtt's, the connection is to be closed.

    Args:
        name: the thing's, which is the client's id.
        aws: the section of the configuration.
        trusted: an SSLContext with the thing's certificate.
        topics: what is listened to.
        feed: feeds the watchdog.
    """

    def __init__(self, name, aws, trusted, topics, feed):
        self._context = trusted
        self._feed = feed
        self._sock = self._tls = None
        self._messages = []
        self._token = 0
        self._heard_ms = self._pinged_ms = time.ticks_ms()
        self._client = MQTTClient(name, aws["endpoint"], aws["port"], None, None, _KEEP_ALIVE_S, self)
        self._client.set_callback(self._put)
        self._topics = topics

    def open(self):
        """Connects, and listens to the topics."""
        self._feed()
        self._client.connect(True, _STEP_S)
        for topic in self._topics:
            self._feed()
            self._client.subscribe(topic, 1)

    async def ask(self, topic, document):
        """(whether it was accepted, the answer) of a service of AWS IoT; OSError where none comes."""
        self._token += 1
        document["clientToken"] = token = "rescue{}".format(self._token)
        self._feed()
        self._client.publish(topic, json.dumps(document).encode(), False, 1)
        start_ms = time.ticks_ms()
        while time.ticks_diff(time.ticks_ms(), start_ms) < _ANSWER_MS:
            await self.listen()
            while self._messages:
                name, payload = self._messages.pop(0)
                request, _, kind = name.rpartition("/")
                answer = _parsed(payload) if request == topic else None
                if answer is not None and answer.get("clientToken") == token:
                    return kind == "accepted", answer
        raise OSError(errno.ETIMEDOUT)

    async def listen(self):
        """Takes what has come; whether there was something. OSError where all is silent for too long."""
        self._feed()
        now_ms = time.ticks_ms()
        if time.ticks_diff(now_ms, self._heard_ms) > _SILENT_MS:
            raise OSError(errno.ETIMEDOUT)
        if time.ticks_diff(now_ms, self._pinged_ms) > _PING_MS:
            self._pinged_ms = now_ms
            self._client.ping()
        before = len(self._messages)
        self._client.check_msg()
        if len(self._messages) > before:
            return True
        await asyncio.sleep_ms(_POLL_MS)
        return False

    def leave(self):
        """Ends the connection, and gives its memory back."""
        try:
            if self._tls:
                self._client.disconnect()
        except Exception as error:  # it is broken off
            tell("left: {}: {}", type(error).__name__, error)
        self.close()
        sock = self._client.sock  # where not even TLS has begun
        if sock and sock is not self:
            sock.close()
        self._client = self._context = self._tls = self._sock = None

    def _put(self, topic, payload):
        self._messages.append((str(topic, "utf-8"), payload))
        del self._messages[:-_KEPT]

    # What umqtt.simple calls.

    def wrap_socket(self, sock, server_hostname):
        self._sock = sock
        sock.settimeout(_STEP_S)
        self._tls = self._context.wrap_socket(sock, server_hostname=server_hostname)
        return self

    def setblocking(self, flag):
        self._sock.settimeout(_STEP_S if flag else 0)

    def read(self, size):
        if not size:
            return b""
        data = self._tls.read(size)
        if data is None:
            return None
        if len(data) < size:
            raise OSError(errno.ECONNRESET)
        self._heard_ms = time.ticks_ms()
        return data

    def write(self, data, size=None):
        view = memoryview(data.encode() if isinstance(data, str) else data)[:size]
        while view:
            view = view[self._tls.write(view) or 0 :]

    def close(self):
        for one in (self._tls, self._sock):  # where the handshake failed TLS has let go of the socket
            if one:
                one.close()


def _parsed(payload):
    """The JSON object in an answer, None for anything else."""
    try:
        # MicroPython 1.25 takes a text that ends too early for a whole one.
        found = json.loads(payload) if payload[-1:] == b"}" else None
    except (ValueError, RuntimeError):  # RuntimeError: hundreds of levels
        return None
    return found if isinstance(found, dict) else None


def _ders(certificates):
    """Each of them: mbedTLS takes one at a time."""
    at = 0
    while at < len(certificates):
        size, start = certificates[at + 1], at + 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(certificates[at + 2 : start], "big")
        yield certificates[at : start + size]
        at = start + size


def _write(seconds):
    year, month, day, hour, minute, second, weekday, _ = time.gmtime(seconds)[:8]
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
