"""What boto3 raises, as a failure that a user can meet."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto

from tools.board.errors import BoardError
from tools.cloud.events import printable

_DENIED = ("AccessDenied", "AccessDeniedException", "ForbiddenException", "UnauthorizedException")
_STRANGERS = (
    *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidSignatureException"),
    *("SignatureDoesNotMatch", "UnrecognizedClientException", "IncompleteSignature"),
)
_NOT_FOUND = ("ResourceNotFoundException", "ResourceNotFound")
NO_CLOUD = "Start it: python3 -m tools cloud. Or name the state of one that runs: --state DIR. Or AWS: --aws."
_SIGN_IN = "Sign in: aws configure, or aws sso login. Or name one that has them: --profile P."


@contextmanager
def explained(where: str, service: str = "iot") -> Iterator[None]:
    """BoardError for what boto3 raises meanwhile.

    Args:
        where: the cloud that is asked.
        service: what is asked there, as IAM calls it.
    """
    try:
        yield
    except boto.ClientError as error:
        raise _refused(error, service) from None
    except boto.BotoCoreError as error:
        raise _failed(error, where) from None


def code(error: boto.ClientError) -> str:
    """AWS's name of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_missing(error: boto.ClientError) -> bool:
    """Whether it says that what was asked for is not there."""
    return code(error) in _NOT_FOUND


def is_denied(error: boto.ClientError) -> bool:
    """Whether it says that these credentials may not ask that."""
    return code(error) in _DENIED


def _refused(error: boto.ClientError, service: str) -> BoardError:
    name, operation = code(error), error.operation_name
    said = printable(str(error.response.get("Error", {}).get("Message", "")))
    if name in _DENIED:
        text = f"access denied: {service}:{operation}" + (f": {said}" if said else "")
        return BoardError(
            text, f"Have {service}:{operation} allowed to whom these credentials are, by an IAM policy."
        )
    if name in _STRANGERS:
        return BoardError(f"{operation}: AWS does not take these credentials: {said or name}", _SIGN_IN)
    if "Throttl" in name or name == "TooManyRequestsException":
        return BoardError(f"{operation}: too many requests at once", "Try again in a moment.")
    if name == "NotImplementedException":
        return BoardError(f"{operation}: this cloud does not have it", "AWS does: --aws.")
    return BoardError(f"{operation}: {said or name}", f"AWS calls it {name}.")


def _failed(error: boto.BotoCoreError, where: str) -> BoardError:
    text = printable(" ".join(str(error).split()))
    if isinstance(error, boto.NoRegionError):
        return BoardError(f"{where}: no region", "Name it: --region eu-central-1. Or: aws configure.")
    if isinstance(error, boto.ProfileNotFound):
        return BoardError(text, "These there are: aws configure list-profiles.")
    if isinstance(
        error,
        boto.NoCredentialsError | boto.PartialCredentialsError | boto.CredentialRetrievalError | boto.SSOError
        | boto.TokenRetrievalError | boto.LoginError,
    ):  # fmt: skip
        return BoardError(f"{where}: no credentials: {text}", _SIGN_IN)
    if isinstance(error, boto.ConnectionError | boto.HTTPClientError):
        told, remedy = f"{where}: no cloud answers", NO_CLOUD
        if where.startswith("AWS"):
            told, remedy = f"{told}: {text}", "Is the network there, and the region right?"
        return BoardError(told, remedy)
    if isinstance(error, boto.ParamValidationError):
        return BoardError(text, "Correct what it names.")
    return BoardError(f"{where}: {text}", "AWS's SDK (boto3) says so.")
