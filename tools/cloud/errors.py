"""Errors as AWS IoT names them."""


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


class LimitExceededException(AwsError):
    """One of AWS's limits on resources."""

    status = 410


class ValidationException(AwsError):
    """InvalidRequestException, as the operations on commands call it."""


class ConflictException(AwsError):
    """What the call asks for does not go with the state that the resource is in."""

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
