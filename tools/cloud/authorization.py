"""What a connection is allowed: the policies of its certificate with this connection's variables in place."""

from . import ca
from .policy import Policy, is_allowed
from .registry import Registry

_CACHED_DECISIONS = 1000


class Authorization:
    """Answers for one connection; follows changes in the registry at once.

    Args:
        registry: holds the policies and the things.
        certificate_id: the connection's identity.
        client_id: as in CONNECT; AWS binds a thing's variables to the client whose id is the thing's name.
    """

    def __init__(self, registry: Registry, certificate_id: str, client_id: str) -> None:
        self._registry = registry
        self._certificate_id = certificate_id
        self._client_id = client_id
        self._revision = -1
        self._decisions: dict[tuple[str, str], bool] = {}

    def allows(self, action: str, resource: str) -> bool:
        """Whether `action` (such as `iot:Publish`) is allowed on `resource` (such as `topic/a/b`)."""
        if self._revision != self._registry.revision or len(self._decisions) >= _CACHED_DECISIONS:
            self._load()
        key = (action, resource)
        if key not in self._decisions:
            arn = self._registry.arn(resource)
            self._decisions[key] = is_allowed(self._policies, action, arn, self._variables)
        return self._decisions[key]

    def _load(self) -> None:
        registry = self._registry
        target = registry.arn(f"cert/{self._certificate_id}")
        names = [
            policy["policyName"] for policy in registry.list_attached_policies(target=target)["policies"]
        ]
        self._policies = [Policy(registry.get_policy(policyName=name)["policyDocument"]) for name in names]
        self._variables = variables(registry, self._certificate_id, self._client_id)
        self._decisions = {}
        self._revision = registry.revision  # last: what could not be read is read again next time


def variables(registry: Registry, certificate_id: str, client_id: str) -> dict[str, str]:
    """The policy variables of a connection; those of a thing exist only where one is attached."""
    certificate = registry.describe_certificate(certificateId=certificate_id)["certificateDescription"]
    things = registry.list_principal_things(principal=certificate["certificateArn"])["things"]
    attached = client_id in things
    values = ca.subject_variables(certificate["certificatePem"]) | {
        "iot:ClientId": client_id,
        "iot:CertificateId": certificate_id,
        "iot:Connection.Thing.IsAttached": str(attached).lower(),
    }
    if attached:
        thing = registry.describe_thing(thingName=client_id)
        values["iot:Connection.Thing.ThingName"] = client_id
        if "thingTypeName" in thing:
            values["iot:Connection.Thing.ThingTypeName"] = thing["thingTypeName"]
        for name, value in thing["attributes"].items():
            values[f"iot:Connection.Thing.Attributes[{name}]"] = value
    return values
