"""AWS IoT Jobs over MQTT (AWS: "Jobs device MQTT API")."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from .. import documents
from ..client import Client
from ..errors import (
    AwsError,
    InternalFailureException,
    InvalidRequestException,
    InvalidStateTransitionException,
    ResourceNotFoundException,
    TerminalStateException,
    VersionConflictException,
)
from ..events import Event
from .control import Jobs
from .data import REQUEST, TOPICS

_THINGS = "$aws/things/"
_TOKEN_BYTES = 64
_CODES: Mapping[type[AwsError], str] = {
    InvalidRequestException: "InvalidRequest",
    InvalidStateTransitionException: "InvalidStateTransition",
    ResourceNotFoundException: "ResourceNotFound",
    VersionConflictException: "VersionMismatch",
    TerminalStateException: "TerminalStateReached",
    InternalFailureException: "InternalError",
}


class _Rejected(Exception):
    """A request that reaches no operation."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class JobsService:
    """The service behind `$aws/things/THING/jobs/…`.

    Args:
        jobs: does what is asked.
        clock: seconds since 1970.
        tell: called with each Event.
    """

    def __init__(self, jobs: Jobs, clock: Callable[[], float], tell: Callable[[Event], None]) -> None:
        self._jobs = jobs
        self._clock = clock
        self._tell = tell

    def claims(self, topic: str) -> bool:
        levels = topic.split("/", 4)
        return topic.startswith(_THINGS) and len(levels) == 5 and levels[3] == "jobs"

    def handle(self, client: Client, topic: str, payload: bytes) -> None:
        """Answer on `…/accepted` or `…/rejected`, only to who asked, whether it has subscribed or not."""
        stamp: dict[str, Any] = {"timestamp": int(self._clock())}
        try:
            request = _request(payload)
            if token := _client_token(request):
                stamp["clientToken"] = token
            answer = self._operation(topic, request)
        except (_Rejected, AwsError) as error:
            refusal = stamp | _refusal(error)
            who = (client.address, client.client_id, client.certificate_id)
            self._tell(Event("rejected", *who, refusal["code"], f"{topic}: {error}"))
            client.answer(f"{topic}/rejected", json.dumps(refusal).encode(), subscribed=False)
        else:
            client.answer(f"{topic}/accepted", json.dumps(answer | stamp).encode(), subscribed=False)

    def sweep(self) -> None:
        self._jobs.sweep()

    def _operation(self, topic: str, request: dict[str, Any]) -> dict[str, Any]:
        data = self._jobs.data
        _, _, thing, _, *rest = topic.split("/")

        def given(*names: str) -> dict[str, Any]:
            return {name: request.get(name) for name in names}

        match rest:
            case ["get"]:
                return data.get_pending_job_executions(thingName=thing)
            case ["start-next"]:
                members = given("statusDetails", "stepTimeoutInMinutes")
                return _parsed(data.start_next_pending_job_execution(thingName=thing, **members))
            case [job_id, "get"] if job_id not in TOPICS:
                members = given("includeJobDocument", "executionNumber")
                return _parsed(data.describe_job_execution(jobId=job_id, thingName=thing, **members))
            case [job_id, "update"] if job_id not in TOPICS:
                if request.get("status") is None:
                    raise InvalidRequestException("status: is missing")
                members = given(*REQUEST)
                return _parsed(data.update_job_execution(jobId=job_id, thingName=thing, **members))
        raise _Rejected("InvalidTopic", f"{topic} is none of the API")


def _request(payload: bytes) -> dict[str, Any]:
    try:
        request = documents.load(payload.decode() or "{}")
    except UnicodeDecodeError:
        raise _Rejected("InvalidJson", "the payload is not UTF-8") from None
    except ValueError as error:
        raise _Rejected("InvalidJson", f"the payload {error}") from None
    version = request.get("expectedVersion")
    if isinstance(version, str) and version.isascii() and version.isdigit() and len(version) < 20:
        request["expectedVersion"] = int(version)  # AWS's guide and its embedded SDK have it as a text
    return request


def _client_token(request: dict[str, Any]) -> str | None:
    token = request.get("clientToken")
    if token is not None and (not isinstance(token, str) or len(token.encode()) > _TOKEN_BYTES):
        raise InvalidRequestException(f"clientToken: must be a text of at most {_TOKEN_BYTES} bytes")
    return token


def _parsed(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with its document as JSON, not as text, which is how MQTT has it."""
    for holder in (answer, answer.get("execution", {})):
        if "jobDocument" in holder:
            holder["jobDocument"] = json.loads(holder["jobDocument"])
    return answer


def _refusal(error: _Rejected | AwsError) -> dict[str, Any]:
    """AWS's ErrorResponse."""
    code = error.code if isinstance(error, _Rejected) else _CODES.get(type(error), "InvalidRequest")
    refusal: dict[str, Any] = {"code": code, "message": str(error)}
    state = getattr(error, "execution_state", None)
    return refusal if state is None else refusal | {"executionState": state}
