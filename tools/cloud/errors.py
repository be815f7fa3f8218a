"""Errors as AWS IoT names them."""

from typing import Any


class AwsError(Exception):
    """An error of the AWS IoT control plane; its class name is AWS's error code, `status` its HTTP status."""

    status = 400

    @property
    def code(self) -> str:
        return type(self).__name__


class InvalidRequestException(AwsError):
    """An argument is missing, malformed or not supported here."""


class MalformedPolicyException(AwsError):
    """A policy document that is not valid."""


class CertificateValidationException(AwsError):
    """A certificate or a signing request that cannot be parsed or verified."""


class InternalFailureException(AwsError):
    """The cloud's state could not be read or written, as on a full disk; nothing has changed."""

    status = 500


class ResourceNotFoundException(AwsError):
    """What the call names does not exist."""

    status = 404


class ResourceAlreadyExistsException(AwsError):
    """What the call would create exists with another content."""

    status = 409


class DeleteConflictException(AwsError):
    """What the call would delete is still attached to something."""

    status = 409


class ResourceConflictsException(AwsError):
    """A resource exists with another content, and a template's OverrideSettings let that fail."""

    status = 409


class UnsupportedDocumentEncodingException(AwsError):
    """A document is not UTF-8."""

    status = 415


class ThrottlingException(AwsError):
    """More is asked than the service takes at once."""

    status = 429


class LimitExceededException(AwsError):
    """One of AWS's limits on resources."""

    status = 410


class VersionConflictException(AwsError):
    """The version that a request expects is not the one that is there; `execution_state` has what is."""

    status = 409

    def __init__(self, message: str, execution_state: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.execution_state = execution_state


class InvalidStateTransitionException(AwsError):
    """What the call asks for cannot follow on what is; `execution_state` has that of a job execution."""

    status = 409

    def __init__(self, message: str, execution_state: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.execution_state = execution_state


class TerminalStateException(AwsError):
    """The job execution has ended."""

    status = 410


class ValidationException(AwsError):
    """InvalidRequestException, as the operations on commands call it."""


class ConflictException(AwsError):
    """What the call asks for does not go with the state, or the version, that the resource is in."""

    status = 409


class ForbiddenException(AwsError):
    """A policy does not allow it."""

    status = 403


class RequestEntityTooLargeException(AwsError):
    """A payload over AWS's limit."""

    status = 413


class GatewayTimeoutException(AwsError):
    """A client that did not acknowledge in time."""

    status = 504
