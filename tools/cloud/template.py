"""Fleet provisioning templates: checked when they are made, resolved with a device's parameters."""

import json
import re
from dataclasses import dataclass
from typing import Any

from .errors import InvalidRequestException
from .policy import Policy

CERTIFICATE_ID = "AWS::IoT::Certificate::Id"
_THING, _CERTIFICATE, _POLICY = "AWS::IoT::Thing", "AWS::IoT::Certificate", "AWS::IoT::Policy"
_PROPERTIES = {
    _THING: {"ThingName", "AttributePayload", "ThingTypeName"},
    _CERTIFICATE: {"CertificateId", "Status"},
    _POLICY: {"PolicyName", "PolicyDocument"},
}
_THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")


class ParameterError(Exception):
    """A parameter is missing, unknown or not usable where the template uses it."""


@dataclass(frozen=True)
class Registration:
    """What a template asks for, resolved."""

    thing_name: str | None
    thing_type: str | None
    attributes: dict[str, str]
    attributes_override: str
    certificate_status: str
    policy_names: tuple[str, ...]
    policy_documents: tuple[str, ...]
    device_configuration: dict[str, str]


class Template:
    """A template body as AWS writes it.

    Args:
        body: the template's JSON text: Parameters, Resources, DeviceConfiguration.

    Raises:
        InvalidRequestException: names the place and the reason.
    """

    def __init__(self, body: str) -> None:
        try:
            source = json.loads(body)
        except ValueError as error:
            raise InvalidRequestException(f"template is not JSON: {error}") from None
        source = _object(source, "template")
        self._parameters = _object(source.get("Parameters", {}), "Parameters")
        for name, declaration in self._parameters.items():
            if _object(declaration, f"Parameters.{name}").get("Type") != "String":
                raise InvalidRequestException(f"Parameters.{name}.Type: must be String")
        self._resources: dict[str, list[dict[str, Any]]] = {_THING: [], _CERTIFICATE: [], _POLICY: []}
        for name, resource in _object(source.get("Resources"), "Resources").items():
            self._add_resource(_object(resource, f"Resources.{name}"), f"Resources.{name}")
        if len(self._resources[_CERTIFICATE]) != 1 or len(self._resources[_THING]) > 1:
            raise InvalidRequestException("Resources: needs one certificate and at most one thing")
        self._configuration = _object(source.get("DeviceConfiguration", {}), "DeviceConfiguration")
        self._check_references(source.get("Resources"), "Resources")
        self._check_references(self._configuration, "DeviceConfiguration")

    def _add_resource(self, resource: dict[str, Any], where: str) -> None:
        kind = resource.get("Type")
        if kind not in _PROPERTIES:
            raise InvalidRequestException(f"{where}.Type: {kind!r} is not supported here")
        properties = _object(resource.get("Properties"), f"{where}.Properties")
        if unknown := set(properties) - _PROPERTIES[kind]:
            raise InvalidRequestException(f"{where}.Properties: {sorted(unknown)[0]} is not supported here")
        if kind == _THING and "ThingName" not in properties:
            raise InvalidRequestException(f"{where}.Properties: ThingName is missing")
        override = _object(resource.get("OverrideSettings", {}), f"{where}.OverrideSettings")
        if override.get("AttributePayload", "MERGE") not in ("MERGE", "REPLACE", "DO_NOTHING", "FAIL"):
            raise InvalidRequestException(f"{where}.OverrideSettings.AttributePayload: unknown value")
        if kind == _CERTIFICATE and properties.get("CertificateId") != {"Ref": CERTIFICATE_ID}:
            raise InvalidRequestException(
                f'{where}.Properties.CertificateId: must be {{"Ref": "{CERTIFICATE_ID}"}}'
            )
        if kind == _POLICY:
            if len(properties) != 1:
                raise InvalidRequestException(f"{where}.Properties: PolicyName or PolicyDocument")
            if isinstance(document := properties.get("PolicyDocument"), str):
                Policy(document)
        self._resources[kind].append(resource)

    def _check_references(self, value: Any, where: str) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                self._check_references(item, f"{where}[{index}]")
        elif isinstance(value, dict):
            if set(value) == {"Ref"}:
                name = value["Ref"]
                if name != CERTIFICATE_ID and name not in self._parameters:
                    raise InvalidRequestException(f"{where}.Ref: {name!r} is not declared in Parameters")
                return
            for key, item in value.items():
                self._check_references(item, f"{where}.{key}")

    def resolve(self, certificate_id: str, parameters: dict[str, str]) -> Registration:
        """The template with a device's parameters in place; raises ParameterError."""
        values = self._values(parameters) | {CERTIFICATE_ID: certificate_id}
        thing = self._resources[_THING][0] if self._resources[_THING] else {}
        wanted = thing.get("Properties", {})
        name = _text(wanted["ThingName"], values) if wanted else None
        if name is not None and not _THING_NAME.fullmatch(name):
            raise ParameterError(f"thing name {name!r}: 1 to 128 of a-z A-Z 0-9 : _ -")
        policies = [resource["Properties"] for resource in self._resources[_POLICY]]
        return Registration(
            thing_name=name,
            thing_type=_text(wanted["ThingTypeName"], values) if "ThingTypeName" in wanted else None,
            attributes=_texts(wanted.get("AttributePayload", {}), values),
            attributes_override=thing.get("OverrideSettings", {}).get("AttributePayload", "MERGE"),
            certificate_status=self._status(values),
            policy_names=tuple(_text(p["PolicyName"], values) for p in policies if "PolicyName" in p),
            policy_documents=tuple(
                _document(p["PolicyDocument"], values) for p in policies if "PolicyDocument" in p
            ),
            device_configuration=_texts(self._configuration, values),
        )

    def _values(self, given: dict[str, str]) -> dict[str, str]:
        for name, value in given.items():
            if name not in self._parameters:
                raise ParameterError(f"parameter {name} is not declared in the template")
            if not isinstance(value, str):
                raise ParameterError(f"parameter {name} must be a string")
        values = {}
        for name, declaration in self._parameters.items():
            value = given.get(name, declaration.get("Default"))
            if value is not None:
                values[name] = value
            elif name != CERTIFICATE_ID:
                raise ParameterError(f"parameter {name} is missing")
        return values

    def _status(self, values: dict[str, str]) -> str:
        status = _text(self._resources[_CERTIFICATE][0]["Properties"].get("Status", "ACTIVE"), values).upper()
        if status not in ("ACTIVE", "INACTIVE"):
            raise ParameterError(f"certificate status {status!r}: ACTIVE or INACTIVE")
        return status


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequestException(f"{where}: must be an object")
    return value


def _text(value: Any, values: dict[str, str]) -> str:
    """A string, `{"Ref": name}` or `{"Fn::Join": [separator, [part, …]]}`."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return values[name]
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(_text(part, values) for part in parts)
    raise ParameterError(f"template has {json.dumps(value)} where a string belongs")


def _texts(source: Any, values: dict[str, str]) -> dict[str, str]:
    return {key: _text(value, values) for key, value in source.items()}


def _document(source: Any, values: dict[str, str]) -> str:
    """A policy document: text, also put together by references, or an object with references in it."""

    def resolved(value: Any) -> Any:
        if isinstance(value, dict) and len(value) == 1 and ("Ref" in value or "Fn::Join" in value):
            return _text(value, values)
        if isinstance(value, dict):
            return {key: resolved(item) for key, item in value.items()}
        return [resolved(item) for item in value] if isinstance(value, list) else value

    document = resolved(source)
    return document if isinstance(document, str) else json.dumps(document)
