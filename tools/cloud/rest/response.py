"""What goes back: an operation's answer, or its error, in the shape of AWS's model."""

import base64
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from ..errors import AwsError
from ..events import printable
from .values import ConstraintError

_LONGEST_WARNING = 400
_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "blob": lambda value: base64.b64encode(value).decode(),
    "timestamp": lambda value: round(float(value), 3),
    "integer": int,
    "long": int,
}


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(operation: OperationModel, result: Mapping[str, Any] | None, warnings: Iterable[str]) -> Response:
    """An operation's answer. What the model does not know in it is left out, and so is what is None."""
    status = operation.http.get("responseCode", 200)
    headers = _headers(warnings)
    shape = operation.output_shape
    if shape is None or result is None:
        return Response(status, b"{}" if shape is not None else b"", headers)
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name == "blob":
        return Response(status, result.get(payload) or b"", headers)
    document = _members(shape, result)
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        if location == "statusCode" and result.get(name) is not None:
            status = int(result[name])
        elif location == "header" and result.get(name) is not None:
            headers[member.serialization.get("name", name)] = _header(str(result[name]))
    return Response(status, json.dumps(document).encode(), headers)


def failure(error: AwsError, operation: OperationModel | None = None) -> Response:
    """An error as AWS tells it: its code in a header, its text in the body."""
    code, status = error.code, error.status
    shapes = {} if operation is None else {shape.name: shape for shape in operation.error_shapes}
    if isinstance(error, ConstraintError):
        code = next(
            (name for name in ("InvalidRequestException", "ValidationException") if name in shapes), code
        )
    if code in shapes:  # the same name may have another status with another service
        status = shapes[code].metadata.get("error", {}).get("httpStatusCode", status)
    body = json.dumps({"message": str(error), **error.members}).encode()
    return Response(status, body, _headers() | {"x-amzn-ErrorType": code})


def _headers(warnings: Iterable[str] = ()) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": secrets.token_hex(16)}
    if told := ", ".join(f'199 local-aws-iot-core "{_header(text)}"' for text in warnings):
        headers["Warning"] = told
    return headers


def _header(text: str) -> str:
    """A text that cannot leave its header."""
    return printable(text)[:_LONGEST_WARNING].encode("ascii", "backslashreplace").decode().replace('"', "'")


def _members(shape: StructureShape, value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        member.serialization.get("name", name): _json(member, value[name])
        for name, member in shape.members.items()
        if value.get(name) is not None and "location" not in member.serialization
    }


def _json(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return _members(shape, value)
    if isinstance(shape, ListShape):
        return [_json(shape.member, one) for one in value]
    if isinstance(shape, MapShape):
        return {key: _json(shape.value, one) for key, one in value.items()}
    return _SCALARS.get(shape.type_name, lambda scalar: scalar)(value)
