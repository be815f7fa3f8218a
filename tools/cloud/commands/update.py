"""What a device says of a command's execution, and which status may follow which.

Source: AWS IoT Developer Guide, "Commands concepts and status", "Update the result of a command execution",
"AWS IoT Commands Troubleshooting" (the codes).
"""

import base64
import binascii
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from .. import documents

CREATED, TIMED_OUT, IN_PROGRESS = "CREATED", "TIMED_OUT", "IN_PROGRESS"
NO_RESPONSE = {"reasonCode": "$NO_RESPONSE_FROM_DEVICE"}
_FINAL = ("SUCCEEDED", "FAILED", "REJECTED")
STATUSES = (CREATED, IN_PROGRESS, *_FINAL, TIMED_OUT)

_REASON_CODE = re.compile(r"[A-Z0-9_-]{1,64}")
_MAX_DESCRIPTION = 1024
_RESULT_NAME = re.compile(r"[a-zA-Z0-9_-]{1,32}")


class Refused(Exception):
    """An update that is answered on `…/response/rejected/json`; `code` is AWS's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Update:
    """A device's word: its status, and where given a reason and results, in the form of the message."""

    status: str
    reason: dict[str, str] | None
    result: dict[str, dict[str, Any]] | None


def is_final(status: str, by_cloud: bool) -> bool:
    """Whether nothing may follow. A TIMED_OUT that the cloud set may still be answered."""
    return status in _FINAL or (status == TIMED_OUT and not by_cloud)


def check_transition(status: str, by_cloud: bool, following: str) -> None:
    """Raises Refused where a device may not go from one status to the other."""
    text = f"the execution is {status}, which {following} cannot follow"
    if status in _FINAL and following != IN_PROGRESS:
        raise Refused("TerminalStateReached", text)
    if is_final(status, by_cloud) or (status == TIMED_OUT and following == IN_PROGRESS):
        raise Refused("InvalidStateTransition", text)


def parse(payload: bytes) -> Update:
    """Raises Refused."""
    try:
        request = documents.load(payload.decode())
    except UnicodeDecodeError:
        raise Refused("InvalidJson", "the payload is not UTF-8") from None
    except ValueError as error:
        raise Refused("InvalidJson", f"the payload {error}") from None
    status = request.get("status")
    if status not in (IN_PROGRESS, *_FINAL, TIMED_OUT):
        allowed = ", ".join((IN_PROGRESS, *_FINAL, TIMED_OUT))
        raise Refused("InvalidRequest", f"status: must be one of {allowed}")
    return Update(status, _reason(request.get("statusReason")), _result(request.get("result")))


def _reason(reason: Any) -> dict[str, str] | None:
    if reason is None:
        return None
    if not isinstance(reason, dict):
        raise Refused("InvalidRequest", "statusReason: must be an object")
    code, description = reason.get("reasonCode"), reason.get("reasonDescription")
    if not isinstance(code, str) or not _REASON_CODE.fullmatch(code):
        raise Refused("InvalidRequest", "statusReason.reasonCode: must be 1 to 64 of A-Z 0-9 _ -")
    if description is None:
        return {"reasonCode": code}
    if not isinstance(description, str) or not is_plain(description, _MAX_DESCRIPTION):
        text = f"must be at most {_MAX_DESCRIPTION} characters without control characters"
        raise Refused("InvalidRequest", f"statusReason.reasonDescription: {text}")
    return {"reasonCode": code, "reasonDescription": description}


def is_plain(text: str, longest: int) -> bool:
    """Whether a text keeps to a length and has no control characters (`[^\\p{C}]*`)."""
    return len(text) <= longest and not any(unicodedata.category(c).startswith("C") for c in text)


def _result(result: Any) -> dict[str, dict[str, Any]] | None:
    if result is None:
        return None
    if not isinstance(result, dict):
        raise Refused("InvalidRequest", "result: must be an object")
    if not result:
        raise Refused("InvalidRequest", "At least 1 command execution result is required")
    for name, entry in result.items():
        if not _RESULT_NAME.fullmatch(name):
            raise Refused("InvalidRequest", "result: a name must be 1 to 32 of a-z A-Z 0-9 _ -")
        if not isinstance(entry, dict) or len(entry) != 1 or not _is_value(*next(iter(entry.items()))):
            form = '{"s": text}, {"b": true or false} or {"bin": base64}'
            raise Refused("InvalidRequest", f"result.{name}: must be {form}, not empty")
    return result


def _is_value(key: str, value: Any) -> bool:
    if key == "b":
        return isinstance(value, bool)
    if key == "bin" and isinstance(value, str):
        try:
            return bool(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            return False
    return key == "s" and isinstance(value, str) and bool(value)


def as_boto3(result: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A result as GetCommandExecution gives it: S, B, and BIN as bytes."""
    return {
        name: {key.upper(): base64.b64decode(value) if key == "bin" else value}
        for name, entry in result.items()
        for key, value in entry.items()
    }
