"""botocore's models judge what a method of the control plane takes and gives: names, types, limits."""

from functools import cache
from importlib import import_module
from typing import Any


@cache
def _model(service: str) -> Any:
    return import_module("botocore.session").Session().get_service_model(service)


def checked(service: str, operation: str, result: dict[str, Any] | None) -> dict[str, Any]:
    """The result of an operation, which must have the shape that the model gives it."""
    shape = _model(service).operation_model(operation).output_shape
    if shape is None:
        assert result is None
        return {}
    assert result is not None
    _check(result, shape, operation)
    return result


def _check(value: Any, shape: Any, where: str) -> None:
    report = import_module("botocore.validate").ParamValidator().validate(value, shape)
    assert not report.has_errors(), f"{where}: {report.generate_report()}"
    unknown = value.keys() - shape.members.keys()
    assert not unknown, f"{where}: the model has no {unknown}"
    for name, inner in value.items():
        member = shape.members[name]
        entries = inner if member.type_name == "list" else [inner]
        kind = member.member if member.type_name == "list" else member
        for entry in entries:
            if kind.type_name == "structure":
                _check(entry, kind, f"{where}.{name}")
