"""Secrets of a stack that CloudFormation cannot make: SecureStrings of SSM, each a random token."""

import secrets
from collections.abc import Iterable

from botocore.exceptions import ClientError

from tools.thing.account import Account
from tools.thing.failures import code, explained

_BYTES = 32


def ensure(account: Account, names: Iterable[str]) -> None:
    """Make those that are not there; one that is stays as it is."""
    with explained(account.where, "ssm"):
        for name in names:
            try:
                account.client("ssm").put_parameter(
                    Name=name, Value=secrets.token_urlsafe(_BYTES), Type="SecureString", Overwrite=False
                )
            except ClientError as error:
                if code(error) != "ParameterAlreadyExists":
                    raise


def put(account: Account, name: str, value: str) -> None:
    """Keep a secret that somebody brings, in the place of what was there."""
    with explained(account.where, "ssm"):
        account.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


def read(account: Account, name: str) -> str | None:
    """One of them; None where it is not there."""
    with explained(account.where, "ssm"):
        try:
            found = account.client("ssm").get_parameter(Name=name, WithDecryption=True)
        except ClientError as error:
            if code(error) != "ParameterNotFound":
                raise
            return None
    value: str = found["Parameter"]["Value"]
    return value


def forget(account: Account, names: Iterable[str]) -> None:
    """Delete those that are there."""
    if given := list(names):
        with explained(account.where, "ssm"):
            account.client("ssm").delete_parameters(Names=given)
