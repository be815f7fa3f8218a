"""Fleet provisioning templates: checked when they are made, resolved with a device's parameters.

Source: AWS IoT Developer Guide, "Provisioning templates".
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import documents, intrinsics, names
from .errors import AwsError, InvalidRequestException
from .intrinsics import ParameterError, Scope, Text, Texts, Values, an_object
from .policy import Policy

CERTIFICATE_ID = "AWS::IoT::Certificate::Id"
_THING, _CERTIFICATE, _POLICY = "AWS::IoT::Thing", "AWS::IoT::Certificate", "AWS::IoT::Policy"
_MAX_CHARACTERS = 10_240  # of a template (CreateProvisioningTemplate)
_MAX_PARAMETER = 4096
_MAX_CONFIGURATION_BYTES = 100 * 1024  # it goes to the device in one message

_PROPERTIES = {
    _THING: {"ThingName", "AttributePayload", "ThingTypeName", "ThingGroups", "BillingGroup"},
    _CERTIFICATE: {"CertificateId", "Status"},
    _POLICY: {"PolicyName", "PolicyDocument"},
}
# Of properties that AWS has elsewhere, why they are not here.
_REASONS = {
    "CertificateSigningRequest": "fleet provisioning takes only CertificateId",
    "CertificatePem": "fleet provisioning takes only CertificateId",
    "CACertificatePem": "fleet provisioning takes only CertificateId",
    "PackageVersions": "is not supported here",
}
_KEEP_OR_TAKE = ("REPLACE", "DO_NOTHING", "FAIL")
_OVERRIDES: dict[str, dict[str, tuple[str, ...]]] = {
    _THING: {
        "AttributePayload": ("MERGE", *_KEEP_OR_TAKE),
        "ThingGroups": ("MERGE", *_KEEP_OR_TAKE),
        "ThingTypeName": _KEEP_OR_TAKE,
    },
    _CERTIFICATE: {"Status": _KEEP_OR_TAKE},
    _POLICY: {},
}
# A template is tried with this as each parameter, to find now what could never be right.
_STAND_IN = "0a1B2c3D"


@dataclass(frozen=True)
class Registration:
    """What a template asks for, resolved; None is what it does not mention. `overrides` by property."""

    thing_name: str | None
    thing_type: str | None
    attributes: dict[str, str] | None
    thing_groups: list[str] | None
    billing_group: str | None
    overrides: Mapping[str, str]
    certificate_status: str
    policy_names: list[str]
    policy_documents: list[str]
    device_configuration: dict[str, str]


class Template:
    """A template body as AWS writes it.

    Args:
        body: the template's JSON text: Parameters, Mappings, Resources, DeviceConfiguration.

    Raises:
        InvalidRequestException: names the place and the reason.
    """

    def __init__(self, body: str) -> None:
        if len(body) > _MAX_CHARACTERS:
            raise InvalidRequestException(f"template has more than {_MAX_CHARACTERS} characters")
        try:
            source = documents.load(body)
        except ValueError as error:
            raise InvalidRequestException(f"template {error}") from None
        _only({"Parameters", "Mappings", "Resources", "DeviceConfiguration"}, source, "template")
        self._defaults = _parameters(source.get("Parameters", {}))
        mappings = intrinsics.mappings(source.get("Mappings", {}))
        self._scope = Scope(frozenset((*self._defaults, CERTIFICATE_ID)), mappings)
        self._thing: dict[str, Callable[[Values], Any]] = {}
        self._certificates = 0
        self._policies: list[tuple[str, Text]] = []
        self._overrides: dict[str, str] = {}
        for name, resource in an_object(source.get("Resources"), "Resources").items():
            self._add_resource(an_object(resource, f"Resources.{name}"), f"Resources.{name}")
        if self._certificates != 1:
            raise InvalidRequestException("Resources: needs one certificate")
        self._configuration = self._attributes(source.get("DeviceConfiguration", {}), "DeviceConfiguration")

    # When it is made

    def _add_resource(self, resource: dict[str, Any], where: str) -> None:
        kind = resource.get("Type")
        if not isinstance(kind, str) or kind not in _PROPERTIES:
            raise InvalidRequestException(f"{where}.Type: {kind!r}, must be one of {', '.join(_PROPERTIES)}")
        _only({"Type", "Properties", "OverrideSettings"}, resource, where)
        properties = an_object(resource.get("Properties"), f"{where}.Properties")
        _only(_PROPERTIES[kind], properties, f"{where}.Properties")
        overrides = an_object(resource.get("OverrideSettings", {}), f"{where}.OverrideSettings")
        _only(set(_OVERRIDES[kind]), overrides, f"{where}.OverrideSettings")
        for name, value in overrides.items():
            if value not in (known := _OVERRIDES[kind][name]):
                text = f"{where}.OverrideSettings.{name}: {value!r}, must be one of {', '.join(known)}"
                raise InvalidRequestException(text)
        self._overrides |= overrides
        add = {_THING: self._add_thing, _CERTIFICATE: self._add_certificate, _POLICY: self._add_policy}
        add[kind](properties, f"{where}.Properties")

    def _add_thing(self, properties: dict[str, Any], where: str) -> None:
        if self._thing:
            raise InvalidRequestException(f"{where}: a template has at most one thing")
        if "ThingName" not in properties:
            raise InvalidRequestException(f"{where}: ThingName is missing")
        for name, value in properties.items():
            make = {"AttributePayload": self._attributes, "ThingGroups": self._groups}.get(name, self._name)
            self._thing[name] = make(value, f"{where}.{name}")
        if "AttributePayload" in properties:
            attributes, typed = self._thing["AttributePayload"], "ThingTypeName" in properties
            self._try(f"{where}.AttributePayload", lambda v: names.check_attributes(attributes(v), typed))

    def _attributes(self, source: Any, where: str) -> Callable[[Values], dict[str, str]]:
        texts = {
            name: intrinsics.text(value, f"{where}.{name}", self._scope)
            for name, value in an_object(source, where).items()
        }
        return lambda values: {name: text(values) for name, text in texts.items()}

    def _groups(self, source: Any, where: str) -> Texts:
        groups = intrinsics.texts(source, where, self._scope)

        def check(values: Values) -> None:
            for name in groups(values):
                names.check("name", name, names.THING_NAME)

        self._try(where, check)
        return groups

    def _name(self, source: Any, where: str, kind: names.Kind = names.THING_NAME) -> Text:
        name = intrinsics.text(source, where, self._scope)
        self._try(where, lambda values: names.check("name", name(values), kind))
        return name

    def _add_certificate(self, properties: dict[str, Any], where: str) -> None:
        if properties.get("CertificateId") != {"Ref": CERTIFICATE_ID}:
            raise InvalidRequestException(f'{where}.CertificateId: must be {{"Ref": "{CERTIFICATE_ID}"}}')
        self._certificates += 1
        self._status = intrinsics.text(properties.get("Status", "ACTIVE"), f"{where}.Status", self._scope)
        self._try(f"{where}.Status", lambda values: _status(self._status(values)))

    def _add_policy(self, properties: dict[str, Any], where: str) -> None:
        if len(properties) != 1:
            raise InvalidRequestException(f"{where}: PolicyName or PolicyDocument, and not both")
        ((name, value),) = properties.items()
        make = self._document if name == "PolicyDocument" else self._policy_name
        self._policies.append((name, make(value, f"{where}.{name}")))

    def _policy_name(self, source: Any, where: str) -> Text:
        return self._name(source, where, names.POLICY_NAME)

    def _document(self, source: Any, where: str) -> Text:
        """Text, put together by functions or not, or an object with functions in it."""
        made = intrinsics.anything(source, where, self._scope)

        def document(values: Values) -> str:
            found = made(values)
            return found if isinstance(found, str) else json.dumps(found)

        self._try(where, lambda values: Policy(document(values)))
        return document

    def _try(self, where: str, check: Callable[[Values], object]) -> None:
        """Refuse now what a check refuses, unless another value of a parameter could mend it."""
        values = dict.fromkeys(self._scope.parameters, _STAND_IN)
        try:
            check(values)
        except ParameterError:
            pass
        except AwsError as error:
            if _STAND_IN not in str(error):
                raise InvalidRequestException(f"{where}: {error}") from None

    # With a device's parameters

    def resolve(self, certificate_id: str, parameters: dict[str, str]) -> Registration:
        """The template with a device's parameters in place; raises ParameterError."""
        values = self._values(parameters) | {CERTIFICATE_ID: certificate_id}
        thing = {name: make(values) for name, make in self._thing.items()}
        policies = [(name, text(values)) for name, text in self._policies]
        configuration = self._configuration(values)
        if len(json.dumps(configuration)) > _MAX_CONFIGURATION_BYTES:
            raise ParameterError(f"DeviceConfiguration has more than {_MAX_CONFIGURATION_BYTES} bytes")
        try:
            status = _status(self._status(values))
            if "ThingName" in thing:
                names.check("thing name", thing["ThingName"], names.THING_NAME)
        except InvalidRequestException as error:
            raise ParameterError(str(error)) from None
        return Registration(
            thing_name=thing.get("ThingName"),
            thing_type=thing.get("ThingTypeName"),
            attributes=thing.get("AttributePayload"),
            thing_groups=thing.get("ThingGroups"),
            billing_group=thing.get("BillingGroup"),
            overrides=self._overrides,
            certificate_status=status,
            policy_names=[text for name, text in policies if name == "PolicyName"],
            policy_documents=[text for name, text in policies if name == "PolicyDocument"],
            device_configuration=configuration,
        )

    def _values(self, given: dict[str, str]) -> dict[str, str]:
        for name, value in given.items():
            if name not in self._defaults:
                raise ParameterError(f"parameter {name} is not declared in the template")
            if not isinstance(value, str):
                raise ParameterError(f"parameter {name} must be a string")
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise ParameterError(f"parameter {name} has half of a surrogate pair")
            if len(value) > _MAX_PARAMETER:
                raise ParameterError(f"parameter {name} has more than {_MAX_PARAMETER} characters")
        values = {}
        for name, default in self._defaults.items():
            if (found := given.get(name, default)) is not None:
                values[name] = found
            elif name != CERTIFICATE_ID:
                raise ParameterError(f"parameter {name} is missing")
        return values


def _only(known: set[str], source: dict[str, Any], where: str) -> None:
    if unknown := sorted(set(source) - known):
        name = unknown[0]
        text = _REASONS.get(name) or f"is not one of {', '.join(sorted(known)) or '(none)'}"
        raise InvalidRequestException(f"{where}: {name} {text}")


def _parameters(source: Any) -> dict[str, str | None]:
    """Each parameter's default."""
    defaults: dict[str, str | None] = {}
    for name, declaration in an_object(source, "Parameters").items():
        where = f"Parameters.{name}"
        _only({"Type", "Default"}, an_object(declaration, where), where)
        if declaration.get("Type") != "String":
            raise InvalidRequestException(f"{where}.Type: {declaration.get('Type')!r}, must be String")
        default = declaration.get("Default")
        if default is not None and not isinstance(default, str):
            raise InvalidRequestException(f"{where}.Default: must be a string")
        if name.startswith("AWS::") and name != CERTIFICATE_ID:
            text = f"only just-in-time provisioning has it; fleet provisioning has {CERTIFICATE_ID}"
            raise InvalidRequestException(f"{where}: {text}")
        defaults[name] = default
    return defaults


def _status(text: str) -> str:
    if text.upper() not in ("ACTIVE", "INACTIVE"):
        raise InvalidRequestException(f"certificate status {text!r}: ACTIVE or INACTIVE")
    return text.upper()
