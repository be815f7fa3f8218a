"""What a device and its claim need to be allowed, what they must not, and what their policies say to it."""

import datetime as dt
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tools.cloud.authorization import connect_variables
from tools.cloud.context import Variables
from tools.cloud.policy import Policy, is_allowed

_THING = "iot:Connection.Thing."
_ANSWERS = ("accepted", "rejected")
_VERBS = {
    "iot:Connect": "connect as",
    "iot:Publish": "publish",
    "iot:Subscribe": "subscribe to",
    "iot:Receive": "receive",
}


@dataclass(frozen=True)
class Right:
    """An action on a resource such as `topic/a/b`."""

    action: str
    resource: str

    def __str__(self) -> str:
        return f"{_VERBS[self.action]} {self.resource.partition('/')[2]}"


def connect(client_id: str) -> Right:
    return Right("iot:Connect", f"client/{client_id}")


def publish(topic: str) -> Right:
    return Right("iot:Publish", f"topic/{topic}")


def subscribe(topic_filter: str) -> Right:
    return Right("iot:Subscribe", f"topicfilter/{topic_filter}")


def receive(topic: str) -> Right:
    return Right("iot:Receive", f"topic/{topic}")


def of_claim(template: str, device: str, own_key: bool) -> Iterator[Right]:
    """What claiming needs, of a device by this name; `own_key`: it makes its key itself."""
    yield connect(f"claim-{device}")
    yield from provisioning(template, own_key)


def provisioning(template: str, own_key: bool = True) -> Iterator[Right]:
    """The two calls by which a certificate comes to be."""
    create = "create-from-csr" if own_key else "create"
    for topic in (
        f"$aws/certificates/{create}/json",
        f"$aws/provisioning-templates/{template}/provision/json",
    ):
        yield publish(topic)
        for answer in _ANSWERS:
            yield subscribe(f"{topic}/{answer}")
            yield receive(f"{topic}/{answer}")


def of_thing(name: str) -> Iterator[Right]:
    """What the library and the example application do in the name of a thing."""
    shadow, jobs = f"$aws/things/{name}/shadow", f"$aws/things/{name}/jobs"
    commands = f"$aws/commands/things/{name}/executions"
    yield connect(name)
    for topic in (f"telemetry/{name}", f"telemetry/{name}/log", f"{shadow}/get", f"{shadow}/update"):
        yield publish(topic)
    for topic in (f"{jobs}/$next/get", f"{jobs}/J/get", f"{jobs}/J/update", f"{commands}/E/response/json"):
        yield publish(topic)
    for topic_filter in (
        *(f"cmd/{name}", f"{shadow}/+/accepted", f"{shadow}/+/rejected", f"{shadow}/update/delta"),
        *(f"{jobs}/notify-next", f"{jobs}/+/+/+"),
        *(f"{commands}/+/request/json", f"{commands}/+/response/rejected/json"),
    ):
        yield subscribe(topic_filter)
    for topic in (
        *(f"cmd/{name}", f"{shadow}/get/accepted", f"{shadow}/get/rejected", f"{shadow}/update/delta"),
        *(f"{jobs}/notify-next", f"{jobs}/$next/get/accepted", f"{jobs}/J/update/accepted"),
        *(f"{commands}/E/request/json", f"{commands}/E/response/rejected/json"),
    ):
        yield receive(topic)


def of_others(name: str) -> Iterator[Right]:
    """What only another thing, or everything, should be let do: what no device may in its own name.

    One of the others is called as this one is, and more: `NAME*` lets that in, too.
    """
    for other in (f"{name}0", "another"):
        shadow, jobs = f"$aws/things/{other}/shadow", f"$aws/things/{other}/jobs"
        yield connect(other)
        for topic in (f"telemetry/{other}", f"{shadow}/update", f"{jobs}/J/update", f"cmd/{other}"):
            yield publish(topic)
        yield publish(f"$aws/commands/things/{other}/executions/E/response/json")
        for topic in (f"cmd/{other}", f"{shadow}/update/delta", f"{jobs}/notify-next"):
            yield subscribe(topic)
            yield receive(topic)
    for topic_filter in ("#", "telemetry/#", "cmd/+", "$aws/things/+/shadow/update/delta"):
        yield subscribe(topic_filter)


class Rights:
    """The policies of a connection with its variables in place.

    Args:
        documents: the policies.
        owner: what ARNs begin with, as far as the account.
        variables: of the connection, with `iot:ClientId`; the time is added.

    Raises:
        MalformedPolicyException: this project's engine cannot judge a policy; names place and reason.
    """

    def __init__(self, documents: Iterable[str], owner: str, variables: Variables) -> None:
        now = time.time()
        moment = dt.datetime.fromtimestamp(now, dt.UTC).isoformat()
        self._policies = [Policy(document) for document in documents]
        self._owner = owner
        self._variables = {**variables, "aws:EpochTime": str(int(now)), "aws:CurrentTime": moment}

    def allows(self, right: Right) -> bool:
        variables: Variables = self._variables
        if right.action == "iot:Connect":
            variables = {**self._as(right.resource.partition("/")[2]), **connect_variables(True, None)}
        return is_allowed(self._policies, right.action, f"{self._owner}:{right.resource}", variables)

    def _as(self, client_id: str) -> Variables:
        """With another client id the connection is no thing's: AWS binds a thing's variables to its name."""
        if client_id == self._variables["iot:ClientId"]:
            return self._variables
        kept = {name: value for name, value in self._variables.items() if not name.startswith(_THING)}
        return {**kept, "iot:ClientId": client_id, f"{_THING}IsAttached": "false"}

    def missing(self, wanted: Iterable[Right]) -> list[Right]:
        return [right for right in wanted if not self.allows(right)]

    def granted(self, unwanted: Iterable[Right]) -> list[Right]:
        return [right for right in unwanted if self.allows(right)]
