"""A cloud that misbehaves on purpose: what a service says is late, twice, never, out of order, or a refusal.
Its broker takes no notice of packets, or hangs up. Its files come slowly, in part, or from somebody else.

Tests and `tools cloud --misbehave` share it.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from . import packet as mqtt
from . import topics
from .client import Client, Service
from .events import Event

KINDS = {
    "late": "say it SECONDS later (ARG, default 2)",
    "twice": "say it twice, at most ARG times (default: always)",
    "never": "do what was asked and say nothing, at most ARG times",
    "garbled": "change a letter or a figure in its middle, at most ARG times",
    "out-of-order": "hold each message until the next one, or for SECONDS (ARG, default 2)",
    "refusing": "answer that the service has failed, and do nothing, at most ARG times",
    "throttling": "answer that there were too many requests, and do nothing, at most ARG times",
}
PACKET_KINDS = {
    "deaf": "take no notice of a packet, at most ARG times",
    "hang-up": "close the connection once a packet has its answer, at most ARG times",
}
FILE_KINDS = {
    "stall": "send ARG bytes of a file (default 16384) and then nothing more",
    "reset": "send ARG bytes of a file (default 16384) and then reset the connection",
    "trickle": "send ARG bytes of a file a second (default 16384)",
    "lie": "say that a file has ARG bytes more than there are (default 16384), and close behind those",
    "no-range": "send the whole file, whatever part was asked for, at most ARG times",
    "expired": "say that the time of a URL is over, at most ARG times",
    "busy": "have no time for a file (503), at most ARG times",
    "redirect": "send to the same file at another of this server's names, at most ARG times",
    "wrong-name": "show a certificate for another name, in at most ARG handshakes",
}
SERVICES = {
    "shadows": ("$aws/things/+/shadow/#",),
    "jobs": ("$aws/things/+/jobs/#",),
    "commands": ("$aws/commands/#",),
    "defender": ("$aws/things/+/defender/#",),
    "streams": ("$aws/things/+/streams/#",),
    "provisioning": ("$aws/certificates/#", "$aws/provisioning-templates/#"),
}
PACKETS = ("CONNECT", "PUBLISH", "PUBACK", "SUBSCRIBE", "UNSUBSCRIBE", "PINGREQ")
HELP = f"""\
ways to misbehave, KIND[=ARG][@WHERE]; WHERE is one of {", ".join(SERVICES)}
(default: all of them), or a filter of their topics as '$aws/things/+/shadow/update/delta';
of "deaf" and "hang-up" it is one of {", ".join(PACKETS)} (default: any),
of those on files BUCKET/KEY (default: any):
""" + "".join(f"  {kind:<13} {text}\n" for kind, text in (KINDS | PACKET_KINDS | FILE_KINDS).items())
_ALL = tuple(one for filters in SERVICES.values() for one in filters)
_WITH_SECONDS = ("late", "out-of-order")
_WITH_BYTES = ("stall", "reset", "trickle", "lie")
_ON_ANSWERS = ("late", "twice", "never", "garbled", "out-of-order")
_REFUSALS = ("refusing", "throttling")
_MAX_HELD = 1000
Send = Callable[[str, bytes], None]


@dataclass
class Misbehaviour:
    """One way to misbehave, on some topics.

    Args:
        kind: one of KINDS, PACKET_KINDS or FILE_KINDS.
        where: one of SERVICES, or a filter on their topics: of what the service says, and for refusals of the
            request; of PACKET_KINDS one of PACKETS; of FILE_KINDS a file's BUCKET/KEY; "" for all.
        seconds: for "late" and "out-of-order".
        times: how often, for the others; None for ever. It counts down.
        amount: bytes, for those of FILE_KINDS that have them.
    """

    kind: str
    where: str = ""
    seconds: float = 2
    times: int | None = None
    amount: int = 16 * 1024
    held: tuple[Callable[[], None], asyncio.TimerHandle] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        kinds = KINDS | PACKET_KINDS | FILE_KINDS
        if self.kind not in kinds:
            raise ValueError(f"misbehaviour {self.kind!r}: must be one of {', '.join(kinds)}")
        if not 0 <= self.seconds <= 3600 or (self.times is not None and self.times < 1):
            raise ValueError(f"misbehaviour {self.kind}: must be 0 to 3600 seconds, or 1 time or more")
        if self.amount < 0 or (self.kind == "trickle" and not self.amount):
            raise ValueError(f"misbehaviour {self.kind}: must be a number of bytes")
        if self.kind in FILE_KINDS:
            if self.where and (self.kind == "wrong-name" or "/" not in self.where):
                raise ValueError(
                    f"misbehaviour {self.kind} at {self.where!r}: must be BUCKET/KEY, or nothing"
                )
        elif self.kind in PACKET_KINDS:
            if self.where and self.where not in PACKETS:
                raise ValueError(f"misbehaviour at {self.where!r}: must be one of {', '.join(PACKETS)}")
        elif self.where and self.where not in SERVICES and not self.where.startswith("$aws/"):
            known = ", ".join(SERVICES)
            raise ValueError(f"misbehaviour at {self.where!r}: must be one of {known}, or a filter $aws/…")

    @classmethod
    def of(cls, text: str) -> "Misbehaviour":
        """`KIND[=ARG][@WHERE]`, as on the command line. Raises ValueError."""
        what, _, where = text.partition("@")
        kind, _, argument = what.partition("=")
        options: dict[str, Any] = {"where": where}
        if argument:
            name = "seconds" if kind in _WITH_SECONDS else "amount" if kind in _WITH_BYTES else "times"
            try:
                options[name] = float(argument) if kind in _WITH_SECONDS else int(argument)
            except ValueError:
                raise ValueError(f"misbehaviour {kind}: {argument!r} is no number") from None
        return cls(kind, **options)

    def takes(self, what: str) -> bool:
        """Whether it is about this topic, this packet or this file now; counts it."""
        if self.kind in PACKET_KINDS | FILE_KINDS:
            is_meant = self.where in ("", what)
        else:
            filters = SERVICES.get(self.where) or ((self.where,) if self.where else _ALL)
            is_meant = _matches(filters, what) and _matches(_ALL, what)
        if self.times == 0 or not is_meant:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Gate:
    """Between the services and whoever they speak to. Without rules it lets all pass as it is.

    Args:
        tell: called with an Event for each message or packet that it touched.
        rules: may be changed at any time; the first that takes a topic or a packet counts.

    Attributes:
        on_packet: called with each packet of a client, and with what is to happen to it, as `packet` says.
    """

    def __init__(self, tell: Callable[[Event], None], rules: list[Misbehaviour]) -> None:
        self.rules = rules
        self.on_packet: Callable[[Client, mqtt.Packet, str], None] = lambda client, packet, kind: None
        self._tell = tell
        self._waiting: set[asyncio.TimerHandle] = set()

    def wrap(self, service: Service) -> Service:
        """The service, behind the gate."""
        return _Gated(self, service)

    def close(self) -> None:
        """Drop what waits."""
        for timer in self._waiting:
            timer.cancel()
        self._waiting.clear()

    def packet(self, client: Client, packet: mqtt.Packet) -> str:
        """What is to happen to a client's packet: "deaf", "hang-up", or "" where all is as it should be."""
        name = type(packet).__name__.upper()
        rule = self._rule(name, tuple(PACKET_KINDS))
        kind = rule.kind if rule else ""
        if kind:
            self._tell(Event("misbehaved", client.address, client.client_id, reason=kind, detail=name))
        self.on_packet(client, packet, kind)
        return kind

    def file(self, address: str, name: str, *kinds: str) -> Misbehaviour | None:
        """What is to happen to the file BUCKET/KEY that is asked for from an address, of FILE_KINDS."""
        rule = self._rule(name, kinds)
        if rule:
            self._tell(Event("misbehaved", address, reason=rule.kind, detail=name))
        return rule

    def say(self, topic: str, payload: bytes, send: Send) -> None:
        """What a service says: sent, late, twice, changed, in another order or not at all."""
        rule = self._rule(topic, _ON_ANSWERS)
        if rule is None:
            send(topic, payload)
            return
        self._tell(Event("misbehaved", reason=rule.kind, detail=topic))
        match rule.kind:
            case "late":
                self._later(rule.seconds, lambda: send(topic, payload))
            case "twice":
                send(topic, payload)
                send(topic, payload)
            case "garbled":
                send(topic, _garbled(payload))
            case "out-of-order":
                self._swap(rule, lambda: send(topic, payload))

    def refusal(self, client: Client, topic: str, payload: bytes) -> bool:
        """Whether a request is refused, which is answered then."""
        rule = self._rule(topic, _REFUSALS)
        if rule is None:
            return False
        self._tell(Event("misbehaved", client.address, client.client_id, reason=rule.kind, detail=topic))
        client.answer(*_refused(topic, payload, rule.kind == "throttling"), subscribed="/jobs/" not in topic)
        return True

    def _rule(self, what: str, kinds: tuple[str, ...]) -> Misbehaviour | None:
        return next((rule for rule in self.rules if rule.kind in kinds and rule.takes(what)), None)

    def _swap(self, rule: Misbehaviour, send: Callable[[], None]) -> None:
        if rule.held is None:

            def release() -> None:
                rule.held = None
                send()

            if timer := self._later(rule.seconds, release):
                rule.held = send, timer
            return
        before, timer = rule.held
        rule.held = None
        timer.cancel()
        self._waiting.discard(timer)
        send()
        before()

    def _later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle | None:
        if len(self._waiting) >= _MAX_HELD:
            self._tell(Event("server", detail=f"{_MAX_HELD} messages are held, one more is lost"))
            return None

        def due() -> None:
            self._waiting.discard(timer)
            call()

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._waiting.add(timer)
        return timer


class _Gated:
    """A service whose answers pass the gate."""

    def __init__(self, gate: Gate, service: Service) -> None:
        self._gate = gate
        self._service = service
        self.claims = service.claims
        self.sweep = service.sweep

    def handle(self, client: Client, topic: str, payload: bytes) -> None:
        if not self._gate.rules:
            self._service.handle(client, topic, payload)
        elif not self._gate.refusal(client, topic, payload):
            self._service.handle(cast(Client, _Listener(self._gate, client)), topic, payload)


class _Listener:
    """A client, as a service sees it from behind the gate."""

    def __init__(self, gate: Gate, client: Client) -> None:
        self._gate = gate
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def answer(self, topic: str, payload: bytes, subscribed: bool = True) -> None:
        self._gate.say(topic, payload, lambda t, p: self._client.answer(t, p, subscribed))


def _matches(filters: tuple[str, ...], topic: str) -> bool:
    return any(topics.matches(one, topic) for one in filters)


def _garbled(payload: bytes) -> bytes:
    """Still the form that it had: one of its letters or figures is another one."""
    middle = len(payload) // 2
    for at in (*range(middle, len(payload)), *range(middle)):
        if payload[at : at + 1].isalnum():
            other = b"1" if payload[at : at + 1] == b"0" else b"0"
            return payload[:at] + other + payload[at + 1 :]
    return payload


def _refused(topic: str, payload: bytes, throttled: bool) -> tuple[str, bytes]:
    """The rejection of a service, in its form: where it goes, and what it is."""
    try:
        request = json.loads(payload)
        asked = request if isinstance(request, dict) else {}
        token = asked.get("c" if "/streams/" in topic else "clientToken")
    except (ValueError, RecursionError):
        token = None
    status, text = (429, "Too many requests") if throttled else (500, "Internal service failure")
    common = {"timestamp": int(time.time())} | ({"clientToken": token} if isinstance(token, str) else {})
    levels = topic.split("/")
    answer: dict[str, Any]
    if levels[1] == "commands":
        code = "RequestThrottled" if throttled else "InternalError"
        answer = {"error": code, "errorMessage": text, "executionId": levels[5]}
        return "/".join([*levels[:-1], "rejected", levels[-1]]), json.dumps(answer).encode()
    if levels[3:4] == ["streams"]:
        answer = {"o": "InternalError", "m": text} | ({"c": token} if isinstance(token, str) else {})
        return "/".join([*levels[:5], "rejected", levels[-1]]), json.dumps(answer).encode()
    if levels[1] in ("certificates", "provisioning-templates"):
        code = "Throttling" if throttled else "InternalFailure"
        answer = {"statusCode": status, "errorCode": code, "errorMessage": text}
    elif levels[3] == "jobs":
        code = "RequestThrottled" if throttled else "InternalError"
        answer = {"code": code, "message": text} | common
    elif levels[3] == "defender":
        details = {"ErrorCode": "Throttled" if throttled else "InternalFailure", "ErrorMessage": text}
        answer = {"thingName": levels[2], "status": "REJECTED", "statusDetails": details}
    else:
        answer = {"code": status, "message": text} | common
    return f"{topic}/rejected", json.dumps(answer).encode()
