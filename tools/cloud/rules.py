"""The rules of this cloud: those of Basic Ingest, which publish again, and those that call a function.

`$aws/rules/NAME/REST` goes to the rule of that name and to no subscriber. The one action of a rule that is
given as a topic is AWS's `republish`, on a topic that may have `${topic()}` (the whole of REST) and
`${topic(N)}` (its level N, from 1) in it; it has no SQL, so the payload goes as it came. A `Call` has SQL,
hears every message whose topic its filter matches, and stands for the action `lambda`.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import topics
from .client import Client
from .events import Event
from .limits import Limits
from .sql import MISSING, Sent, Sql

_NAME = re.compile(r"\w{1,128}", re.ASCII)
_SUBSTITUTION = re.compile(r"\$\{([^}]*)\}")
_TOPIC = re.compile(r"topic\((\d*)\)")
_WAIT_S = 5.0  # for functions that still run at the end


@dataclass(frozen=True)
class Call:
    """A rule that calls a function of this process, as AWS a Lambda: in a thread, and nobody waits for it.

    Args:
        sql: what tools.cloud.sql knows.
        function: called with what that selects. What it raises is told, and its answer goes nowhere.
    """

    sql: str
    function: Callable[[Any], object]


class Rules:
    """The service behind `$aws/rules/…`, and the ear of those that call.

    Args:
        rules: by the name of each (1 to 128 of A-Z a-z 0-9 _) the topic that it publishes on, or its Call.
        limits: for the topics.
        tell: called with an Event for a message that no rule takes (AWS counts it as RuleNotFound), for one
            that a rule cannot publish, and for a function that fails.

    Raises:
        ValueError: a name, a topic or an SQL that no rule can have.
    """

    def __init__(
        self, rules: Mapping[str, str | Call], limits: Limits, tell: Callable[[Event], None]
    ) -> None:
        self._topics = {name: rule for name, rule in rules.items() if isinstance(rule, str)}
        self._calls: dict[str, tuple[Sql, Callable[[Any], object]]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._limits = limits
        self._tell = tell
        for name, rule in rules.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"rule {name!r}: the name must be 1 to 128 of A-Z a-z 0-9 _")
            if isinstance(rule, str):
                self._check(name, rule)
                continue
            try:
                self._calls[name] = Sql(rule.sql, limits), rule.function
            except ValueError as error:
                raise ValueError(f"rule {name}: {error}") from None

    def _check(self, name: str, template: str) -> None:
        for inner in _SUBSTITUTION.findall(template):
            if not (found := _TOPIC.fullmatch(inner)) or found[1].startswith("0"):
                raise ValueError(
                    f"rule {name}: ${{{inner}}}, only ${{topic()}} and ${{topic(N)}} are known here"
                )
        if error := self._error(_SUBSTITUTION.sub("x", template)):
            raise ValueError(f"rule {name}: {error}")

    # client.Service

    def claims(self, topic: str) -> bool:
        return topic.startswith(topics.BASIC_INGEST)

    def handle(self, client: Client, topic: str, payload: bytes) -> None:
        """Publish again with QoS 0, as AWS does where a rule says nothing else, or call."""
        name, _, rest = topic.removeprefix(topics.BASIC_INGEST).partition("/")
        if name in self._calls:
            self._call(name, Sent(rest, payload, client.client_id, client.certificate_id))
            return
        template = self._topics.get(name)
        if template is None:
            self._reject(client, "RuleNotFound", f"{topic}: there is no rule {name!r}")
            return
        target = _SUBSTITUTION.sub(lambda found: _levels(found[1], rest), template)
        if error := self._error(target):
            self._reject(client, "RepublishFailed", f"rule {name} from {topic} to {target!r}: {error}")
            return
        client.republish(target, payload)

    def sweep(self) -> None:
        """Nothing expires."""

    # For the router

    @property
    def has_calls(self) -> bool:
        """Whether there is a rule that hears messages."""
        return bool(self._calls)

    def hear(self, sent: Sent) -> None:
        """A message was published, by a client or by a service."""
        for name, (sql, _) in self._calls.items():
            if topics.matches(sql.filter, sent.topic):
                self._call(name, sent)

    async def stop(self) -> None:
        """Wait a moment for functions that still run."""
        if self._running:
            await asyncio.wait(self._running, timeout=_WAIT_S)

    def _call(self, name: str, sent: Sent) -> None:
        sql, function = self._calls[name]
        event = sql.event(sent)
        if event is not MISSING:
            task = asyncio.create_task(self._run(name, function, event))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, name: str, function: Callable[[Any], object], event: Any) -> None:
        try:
            await asyncio.to_thread(function, event)
        except Exception as error:  # whatever it raises is its operator's to know
            what = f"rule {name}: {type(error).__name__}: {error}"
            self._tell(Event("rejected", reason="FunctionFailed", detail=what))

    def _error(self, topic: str) -> str | None:
        if topics.is_reserved(topic):
            return "a reserved topic"
        return topics.topic_error(topic, self._limits)

    def _reject(self, client: Client, reason: str, detail: str) -> None:
        self._tell(Event("rejected", client.address, client.client_id, client.certificate_id, reason, detail))


def _levels(function: str, topic: str) -> str:
    """The value of topic() or topic(N); a level that is not there is empty."""
    number = function[len("topic(") : -1]
    if not number:
        return topic
    return dict(enumerate(topic.split("/"), start=1)).get(int(number), "")
