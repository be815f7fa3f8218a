"""A request's arguments by AWS's names, from its path, query string, headers and body."""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import OperationModel, StructureShape

from .. import documents
from ..errors import SerializationException
from . import values

_BY_DEFAULT = 25  # entries of a page, where a client does not say how many


def arguments(
    operation: OperationModel, labels: Mapping[str, str], query: str, headers: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    """The arguments of an operation.

    Raises:
        SerializationException: no JSON, or another type than the model has.
        values.ConstraintError: what the model does not allow, or a member that is missing.
    """
    shape = operation.input_shape
    if shape is None:
        return {}
    payload = shape.serialization.get("payload")
    found = {} if payload else values.members(shape, _document(shape, body))
    texts = _query(query)
    for name, member in shape.members.items():
        key = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "uri":
                sent = [labels[key]]
            case "querystring":
                sent = texts.get(key, [])
            case "header":
                sent = [headers[key]] if key in headers else []
            case _:
                continue
        if member.type_name == "list":
            if sent:
                made = [values.from_text(member.member, text, name) for text in sent]
                found[name] = values.constrained(member, made, name)
        elif sent:
            found[name] = values.from_text(member, sent[0], name)
    if payload:
        found |= _payload(shape, payload, body)
    values.check_required(shape, found)
    return found


def with_page_size(method_takes: Collection[str | None], found: dict[str, Any]) -> dict[str, Any]:
    """With how many entries a page has: a client that reads one page alone sees here what it would on AWS."""
    for name in ("maxResults", "pageSize"):
        if name in method_takes:
            return {name: _BY_DEFAULT} | found
    return dict(found)


def _payload(shape: StructureShape, name: str, body: bytes) -> dict[str, Any]:
    """The member that is the body itself."""
    member = shape.members[name]
    if member.type_name == "blob":
        return {name: values.constrained(member, body, name)}
    return {name: values.from_json(member, _object(body), name)} if body else {}


def _document(shape: StructureShape, body: bytes) -> dict[str, Any]:
    """A body that holds members by their names; where an operation has none there, a client may send any."""
    return (
        _object(body)
        if body and any("location" not in m.serialization for m in shape.members.values())
        else {}
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        return documents.load(body.decode())
    except UnicodeDecodeError:
        raise SerializationException("the body is not UTF-8") from None
    except ValueError as error:
        raise SerializationException(f"the body {error}") from None


def _query(query: str) -> dict[str, list[str]]:
    """The values of each name in a query string."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=1000):
        found.setdefault(name, []).append(value)
    return found
