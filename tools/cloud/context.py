"""What a policy can ask about a connection: the names of its variables, which are its condition keys too.

Source: AWS IoT Developer Guide, "AWS IoT Core policy variables".
"""

import re
from collections.abc import Callable, Mapping

Variables = Mapping[str, str | tuple[str, ...]]
"""The values of policy variables such as `iot:ClientId`: a tuple where a key has several."""

TIMES = frozenset(("aws:CurrentTime", "aws:EpochTime"))
"""Those whose values are others a moment later."""

_KEYS = TIMES | {
    "aws:SecureTransport", "aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp",
    "iot:CertificateId", "iot:ClientId", "iot:ConnectAttributes", "iot:DomainName", "iot:LastWillTopic",
    "iot:Connection.Thing.IsAttached", "iot:Connection.Thing.ThingName", "iot:Connection.Thing.ThingTypeName",
    "iot:Certificate.AvailableKeys", "iot:Certificate.SerialNumber",
    # In examples of AWS's guide, but not in its list of variables: it is taken, and never has a value here.
    "iot:Thing.ThingName",
}  # fmt: skip
_KEYS_WITH_NAMES = re.compile(
    r"iot:Connection\.Thing\.Attributes\[[A-Za-z0-9_.,@/:#=\[\]-]{1,128}\]"
    r"|iot:Certificate\.(Subject|Issuer)\.(DistinguishedNameQualifier|Country|Organization|OrganizationalUnit|"
    r"State|CommonName|SerialNumber|Title|Surname|GivenName|Initials|Pseudonym|GenerationQualifier|"
    r"AlternativeName\.(RFC822Name|DNSName|DirectoryName|UniformResourceIdentifier|IPAddress))"
    r"(\.([0-9]|List))?"
)


def is_known(key: str) -> bool:
    """Whether a device's connection can have this variable or condition key."""
    return key in _KEYS or _KEYS_WITH_NAMES.fullmatch(key) is not None


def text_value(variables: Variables) -> Callable[[str], str | None]:
    """For pattern.fill(): the value of a variable.

    Of a certificate those with a wildcard character in them are not put in (Developer Guide, "X.509
    Certificate policy variable limitations").
    """

    def value(name: str) -> str | None:
        found = variables.get(name)
        if not isinstance(found, str) or (name.startswith("iot:Certificate.") and set(found) & set("*$+?#")):
            return None
        return found

    return value
