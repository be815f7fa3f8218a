"""Basic Ingest: `$aws/rules/NAME/REST` goes to the rule of that name and to no subscriber.

The one action of a rule here is AWS's `republish`, on a topic that may have `${topic()}` (the whole of REST)
and `${topic(N)}` (its level N, from 1) in it; there is no SQL, so the payload goes as it came.
"""

import re
from collections.abc import Callable, Mapping

from . import topics
from .client import Client
from .events import Event
from .limits import Limits

_NAME = re.compile(r"\w{1,128}", re.ASCII)
_SUBSTITUTION = re.compile(r"\$\{([^}]*)\}")
_TOPIC = re.compile(r"topic\((\d*)\)")


class Rules:
    """The service behind `$aws/rules/…`.

    Args:
        rules: by the name of each (1 to 128 of A-Z a-z 0-9 _) the topic that it publishes on.
        limits: for the topics.
        tell: called with an Event for a message that no rule takes (AWS counts it as RuleNotFound), and for
            one that a rule cannot publish.

    Raises:
        ValueError: a name or a topic that no rule can have.
    """

    def __init__(self, rules: Mapping[str, str], limits: Limits, tell: Callable[[Event], None]) -> None:
        self._rules = dict(rules)
        self._limits = limits
        self._tell = tell
        for name, template in self._rules.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"rule {name!r}: the name must be 1 to 128 of A-Z a-z 0-9 _")
            for inner in _SUBSTITUTION.findall(template):
                if not (found := _TOPIC.fullmatch(inner)) or found[1].startswith("0"):
                    raise ValueError(
                        f"rule {name}: ${{{inner}}}, only ${{topic()}} and ${{topic(N)}} are known here"
                    )
            if error := self._error(_SUBSTITUTION.sub("x", template)):
                raise ValueError(f"rule {name}: {error}")

    def claims(self, topic: str) -> bool:
        return topic.startswith(topics.BASIC_INGEST)

    def handle(self, client: Client, topic: str, payload: bytes) -> None:
        """Publish again with QoS 0, as AWS does where a rule says nothing else."""
        name, _, rest = topic.removeprefix(topics.BASIC_INGEST).partition("/")
        template = self._rules.get(name)
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
