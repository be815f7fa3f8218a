"""What a connection is allowed: the policies of its certificate with this connection's variables in place."""

import datetime as dt
import time
from collections.abc import Callable
from functools import lru_cache

from .context import TIMES, Variables
from .errors import MalformedPolicyException
from .identity import thing_variables
from .policy import Policy, is_allowed
from .registry import Registry

_CACHED_DECISIONS = 1000

_policy = lru_cache(maxsize=256)(Policy)  # one for all that have the same document, as a fleet has


class Authorization:
    """Answers for one connection; follows changes in the registry at once.

    Args:
        registry: holds the policies and the things.
        certificate_id: the connection's identity.
        client_id: as in CONNECT.
        connection: its own variables, such as `aws:SourceIp`; see connection_variables().
        connect: what holds for `iot:Connect` alone, such as `iot:LastWillTopic`.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        registry: Registry,
        certificate_id: str,
        client_id: str,
        connection: Variables | None = None,
        connect: Variables | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._certificate_id = certificate_id
        self._client_id = client_id
        self._connection = connection or {}
        self._connect = connect or {}
        self._clock = clock
        self._revision = -1
        self._decisions: dict[tuple[str, str], bool] = {}

    def allows(self, action: str, resource: str) -> bool:
        """Whether `action` (such as `iot:Publish`) is allowed on `resource` (such as `topic/a/b`)."""
        if self._revision != self._registry.revision or len(self._decisions) >= _CACHED_DECISIONS:
            self._load()
        key = (action, resource)
        if self._timed or key not in self._decisions:
            arn = self._registry.arn(resource)
            self._decisions[key] = is_allowed(self._policies, action, arn, self._values(action))
        return self._decisions[key]

    def _values(self, action: str) -> Variables:
        values = dict(self._variables)
        if action == "iot:Connect":
            values.update(self._connect)
        if self._timed:
            now = self._clock()
            values["aws:EpochTime"] = str(int(now))
            values["aws:CurrentTime"] = dt.datetime.fromtimestamp(now, dt.UTC).isoformat()
        return values

    def _load(self) -> None:
        registry = self._registry
        documents = registry.policy_documents(self._certificate_id, self._client_id)
        try:
            self._policies = [_policy(document) for document in documents]
        except MalformedPolicyException:  # from a time when it was not refused: it may deny what others allow
            self._policies = []
        self._timed = any(policy.depends_on(TIMES) for policy in self._policies)
        self._variables = {
            **thing_variables(registry, self._certificate_id, self._client_id),
            **self._connection,
        }
        self._decisions = {}
        self._revision = registry.revision  # last: what could not be read is read again next time


def connection_variables(address: str, server_name: str) -> Variables:
    """The variables of a connection itself.

    Args:
        address: "host:port" of the client; an IPv6 host may stand in brackets.
        server_name: the name it asked for (SNI), "" for none.
    """
    values = {"aws:SourceIp": address.rpartition(":")[0].strip("[]"), "aws:SecureTransport": "true"}
    return values | ({"iot:DomainName": server_name} if server_name else {})


def connect_variables(persistent: bool, will_topic_arn: str | None) -> Variables:
    """The variables of a CONNECT: whether it asks for a persistent session, and where its will goes."""
    attributes = [*(["PersistentConnect"] if persistent else []), *(["LastWill"] if will_topic_arn else [])]
    values: Variables = {"iot:ConnectAttributes": tuple(attributes)}
    return {**values, "iot:LastWillTopic": will_topic_arn} if will_topic_arn else values
