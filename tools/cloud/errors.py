"""Errors as AWS IoT names them."""


class AwsError(Exception):
    """An error of the AWS IoT control plane; its class name is AWS's error code, `status` its HTTP status.

    Args:
        message: for people.
        members: what else AWS's error of this name tells, such as resourceArn.
    """

    status = 400

    def __init__(self, message: str = "", **members: str) -> None:
        super().__init__(message)
        self.members = members

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


class VersionConflictException(AwsError):
    """The expected version is not the one that is there."""

    status = 409


class VersionsLimitExceededException(AwsError):
    """A policy or a template has as many versions as it may have."""

    status = 409


class CertificateStateException(AwsError):
    """A certificate's status does not let that happen."""

    status = 406


class SerializationException(AwsError):
    """A request's body that is not the JSON which its operation takes."""


class UnknownOperationException(AwsError):
    """No operation has this method and path."""

    status = 404


class NotImplementedException(AwsError):
    """An operation that AWS has and this cloud has not."""

    status = 501


class RequestEntityTooLargeException(AwsError):
    """A body larger than any operation needs."""

    status = 413


class ForbiddenException(AwsError):
    """A request that a web page has sent."""

    status = 403
