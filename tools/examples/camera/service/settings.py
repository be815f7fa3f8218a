"""Settings and secrets, from SSM's parameters: one loader for all functions."""

import os
import time
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

PREFIX = "SETTINGS"
"""The environment's variable that has the parameters' prefix, such as /iot/camera."""
_KEPT_S = 300  # then they are read anew: a token that was replaced does not live on


class SettingsError(Exception):
    """A parameter is missing or wrong. The text names it, and never has its value."""


@dataclass(frozen=True)
class Settings:
    """Each is the parameter PREFIX/NAME.

    Args:
        bucket: S3's, of the pictures.
        token: who has it may open the page; it also signs the snapshots' ids. A secret (SecureString).
        url_s: how long a camera may use the URL of an upload.
        uploads: where cameras reach S3, as https://NAME:PORT; "" is S3's own address.
        endpoint: the account's of AWS IoT, where shadows are; "" is the client's own.
    """

    bucket: str
    token: str = field(repr=False)
    url_s: int = 900
    uploads: str = ""
    endpoint: str = ""

    def __post_init__(self) -> None:
        if not 60 <= self.url_s <= 43_200:
            raise SettingsError("url_s: must be 60 to 43200")
        if len(self.token) < 32:
            raise SettingsError("token: must have 32 characters or more")


def load(ssm: Any) -> Settings:
    """Those of the environment's prefix, read once in five minutes. Raises SettingsError.

    Args:
        ssm: botocore's client.
    """
    prefix = os.environ.get(PREFIX, "").rstrip("/")
    if not prefix:
        raise SettingsError(f"the environment has no {PREFIX}: the prefix of the parameters")
    return _load(ssm, prefix, int(time.monotonic() // _KEPT_S))


@lru_cache(maxsize=1)
def _load(ssm: Any, prefix: str, turn: int) -> Settings:
    found = {one: _get(ssm, f"{prefix}/{one.name}") for one in fields(Settings)}
    missing = [f"{prefix}/{one.name}" for one, value in found.items() if one.default is MISSING and not value]
    if missing:
        raise SettingsError(f"SSM has no parameter {', '.join(missing)}")
    try:
        return Settings(**{one.name: _typed(one, value) for one, value in found.items() if value})
    except SettingsError as error:
        raise SettingsError(f"{prefix}/{error}") from None


def _get(ssm: Any, name: str) -> str:
    """A parameter; "" where it is not there. One by one, so that a role may have each by its name."""
    try:
        found = ssm.get_parameter(Name=name, WithDecryption=True)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return ""
    return str(found["Parameter"]["Value"])


def _typed(one: "Field[Any]", value: str) -> Any:
    if one.type is not int:
        return value
    try:
        return int(value)
    except ValueError:
        raise SettingsError(f"{one.name}: is no whole number") from None
