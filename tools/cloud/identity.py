"""What policies can know of a connection: its certificate, its thing, its address, how it connected."""

from collections.abc import Iterable
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import NameOID

from .context import Variables
from .registry import Registry

_MAX_VALUES = 5  # of one attribute, and of no more than
_MAX_CHARACTERS = 1024  # ("X.509 Certificate policy variable limitations")
_ATTRIBUTES = {
    NameOID.DN_QUALIFIER: "DistinguishedNameQualifier",
    NameOID.COUNTRY_NAME: "Country",
    NameOID.ORGANIZATION_NAME: "Organization",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OrganizationalUnit",
    NameOID.STATE_OR_PROVINCE_NAME: "State",
    NameOID.COMMON_NAME: "CommonName",
    NameOID.SERIAL_NUMBER: "SerialNumber",
    NameOID.TITLE: "Title",
    NameOID.SURNAME: "Surname",
    NameOID.GIVEN_NAME: "GivenName",
    NameOID.INITIALS: "Initials",
    NameOID.PSEUDONYM: "Pseudonym",
    NameOID.GENERATION_QUALIFIER: "GenerationQualifier",
}
_GENERAL_NAMES: dict[type[x509.GeneralName], str] = {
    x509.RFC822Name: "RFC822Name",
    x509.DNSName: "DNSName",
    x509.DirectoryName: "DirectoryName",
    x509.UniformResourceIdentifier: "UniformResourceIdentifier",
    x509.IPAddress: "IPAddress",
}
_ESCAPED = str.maketrans({character: "\\" + character for character in ',"\\+=<>;'})


def thing_variables(registry: Registry, certificate_id: str, client_id: str) -> Variables:
    """The policy variables of a certificate and of the thing it is attached to.

    Those of a thing exist only where it is called by the client's id: AWS binds them to that. Over HTTPS
    there is no such id: it is "" then, and there is no `iot:ClientId` either.
    """
    certificate = registry.describe_certificate(certificateId=certificate_id)["certificateDescription"]
    things = registry.list_principal_things(principal=certificate["certificateArn"])["things"]
    attached = client_id in things
    values = dict(certificate_variables(certificate["certificatePem"])) | {
        "iot:CertificateId": certificate_id,
        "iot:Connection.Thing.IsAttached": str(attached).lower(),
    }
    values |= {"iot:ClientId": client_id} if client_id else {}
    if attached:
        thing = registry.describe_thing(thingName=client_id)
        values["iot:Connection.Thing.ThingName"] = client_id
        if "thingTypeName" in thing:
            values["iot:Connection.Thing.ThingTypeName"] = thing["thingTypeName"]
        for name, value in thing["attributes"].items():
            values[f"iot:Connection.Thing.Attributes[{name}]"] = value
    return values


@lru_cache(maxsize=256)
def certificate_variables(pem: str) -> Variables:
    """The policy variables `iot:Certificate.…` of a certificate.

    Each attribute has its first value under its own name, each under its index, all under `.List`
    (Developer Guide, "X.509 Certificate AWS IoT Core policy variables").
    """
    certificate = x509.load_pem_x509_certificate(pem.encode())
    variables: dict[str, str | tuple[str, ...]] = {
        "iot:Certificate.SerialNumber": str(certificate.serial_number)
    }
    sides = (
        ("Subject", certificate.subject, x509.SubjectAlternativeName),
        ("Issuer", certificate.issuer, x509.IssuerAlternativeName),
    )
    for side, name, alternative in sides:
        for oid, attribute in _ATTRIBUTES.items():
            found = (str(value.value) for value in name.get_attributes_for_oid(oid))
            _add(variables, f"iot:Certificate.{side}.{attribute}", found)
        names = _alternative_names(certificate, alternative)
        for kind, attribute in _GENERAL_NAMES.items():
            found = (_general_name(one) for one in names if isinstance(one, kind))
            _add(variables, f"iot:Certificate.{side}.AlternativeName.{attribute}", found)
    variables["iot:Certificate.AvailableKeys"] = tuple(variables)
    return variables


def _alternative_names(
    certificate: x509.Certificate, kind: type[x509.SubjectAlternativeName] | type[x509.IssuerAlternativeName]
) -> Iterable[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(kind).value)
    except x509.ExtensionNotFound:
        return ()


def _general_name(name: x509.GeneralName) -> str:
    return name.value.rfc4514_string() if isinstance(name, x509.DirectoryName) else str(name.value)


def _add(variables: dict[str, str | tuple[str, ...]], name: str, found: Iterable[str]) -> None:
    values = [text.translate(_ESCAPED) for text in found][:_MAX_VALUES]
    for index, value in enumerate(values):
        if len(value) <= _MAX_CHARACTERS:
            variables[f"{name}.{index}"] = value
    if f"{name}.0" in variables:
        variables[name] = variables[f"{name}.0"]
    if usable := tuple(value for value in values if len(value) <= _MAX_CHARACTERS):
        variables[f"{name}.List"] = usable
