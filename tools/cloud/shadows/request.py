"""What a client asks for, read strictly; the errors' texts are AWS's ("Device Shadow error messages")."""

from dataclasses import dataclass
from typing import Any

from .. import documents
from ..errors import (
    InvalidRequestException,
    RequestEntityTooLargeException,
    UnsupportedDocumentEncodingException,
)
from ..limits import Limits
from .document import Tree, size

_SECTIONS = ("desired", "reported")
_SHOWN = 64  # of a name that is not ours


@dataclass(frozen=True, slots=True)
class Update:
    """An update's `state`, None for null, and the version that it is for, None for any."""

    state: Tree | None
    version: int | None


def read(payload: bytes, limits: Limits) -> Tree:
    """The object that a payload is.

    Raises:
        InvalidRequestException, UnsupportedDocumentEncodingException: it is none.
    """
    try:
        return documents.load(payload.decode())
    except UnicodeDecodeError:
        text = "Unsupported documented encoding; supported encoding is UTF-8"
        raise UnsupportedDocumentEncodingException(text) from None
    except documents.TooDeepError:
        raise _too_deep(limits) from None
    except ValueError as error:
        raise InvalidRequestException("Invalid JSON") from error


def client_token(request: Tree, limits: Limits) -> str | None:
    """What comes back with each answer. Raises InvalidRequestException."""
    token = request.get("clientToken")
    if "clientToken" in request and (
        not isinstance(token, str) or len(token.encode()) > limits.shadow_client_token_bytes
    ):
        raise InvalidRequestException("Invalid clientToken")
    return token


def update(request: Tree, limits: Limits) -> Update:
    """What an update asks for; what is beside `state`, `version` and `clientToken` is passed over.

    Raises:
        InvalidRequestException, RequestEntityTooLargeException: it can be no update.
    """
    if "state" not in request:
        raise InvalidRequestException("Missing required node: state")
    state = request["state"]
    if state is not None:
        _check_state(state, limits)
    version = request.get("version")
    if "version" in request and (not isinstance(version, int) or isinstance(version, bool) or version < 0):
        raise InvalidRequestException("Invalid version")
    return Update(state, version)


def check_size(state: Tree, limits: Limits) -> None:
    """Raises RequestEntityTooLargeException."""
    if size(state) > limits.shadow_bytes:
        raise RequestEntityTooLargeException("The payload exceeds the maximum size allowed")


def _check_state(state: Any, limits: Limits) -> None:
    if not isinstance(state, dict):
        raise InvalidRequestException("State node must be an object")
    for name, section in state.items():
        if name not in _SECTIONS:
            raise InvalidRequestException(f"State contains an invalid node: '{name[:_SHOWN]}'")
        if section is not None and not isinstance(section, dict):
            raise InvalidRequestException(f"{name.capitalize()} node must be an object")
        _check_value(section, limits.shadow_levels, limits)
    check_size(state, limits)


def _check_value(value: Any, levels: int, limits: Limits, in_array: bool = False) -> None:
    """A path has at most `levels` names and places in arrays below its section; an array has no null."""
    if in_array and value is None:
        raise InvalidRequestException("State contains an invalid node: null in an array")
    if not isinstance(value, dict | list) or not value:
        return
    if not levels:
        raise _too_deep(limits)
    if isinstance(value, list):
        for inner in value:
            _check_value(inner, levels - 1, limits, in_array=True)
    else:
        for inner in value.values():
            _check_value(inner, levels - 1, limits, in_array)


def _too_deep(limits: Limits) -> InvalidRequestException:
    return InvalidRequestException(
        f"JSON contains too many levels of nesting; maximum is {limits.shadow_levels}"
    )
