"""What the parts of the registry share."""

import uuid
from collections.abc import Callable

from ..database import Database
from ..errors import InvalidRequestException, ResourceNotFoundException, VersionConflictException


class Resources:
    """One part of the registry, or several.

    Args:
        database: where all of it is kept.
        arn_prefix: "arn:aws:iot:REGION:ACCOUNT:".
        clock: seconds since 1970.
        changed: to be called in the transaction of each change that an authorisation can depend on.
    """

    def __init__(
        self, database: Database, arn_prefix: str, clock: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self._db = database
        self._arn_prefix = arn_prefix
        self._clock = clock
        self._changed = changed

    def arn(self, resource: str) -> str:
        """The ARN of a resource such as `topic/a/b` or `cert/0123…`."""
        return self._arn_prefix + resource

    @property
    def _account(self) -> str:
        return self._arn_prefix.split(":")[4]

    def _identifier(self, resource: str) -> str:
        """AWS's thingId and the like: of the same name always the same."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.arn(resource)))

    def _certificate_of(self, arn: str) -> str:
        """The id of a certificate that exists, from its ARN."""
        prefix = self.arn("cert/")
        if not arn.startswith(prefix):
            raise InvalidRequestException(f"{arn!r} is not the ARN of a certificate ({prefix}…)")
        identifier = arn.removeprefix(prefix)
        self._check("certificates", "certificate", identifier, "certificate_id")
        return identifier

    def _check(self, table: str, what: str, name: str, column: str = "name") -> None:
        """Raises ResourceNotFoundException where the table has no such row."""
        if not self._db.one(f"SELECT 1 FROM {table} WHERE {column} = ?", name):  # noqa: S608
            raise ResourceNotFoundException(f"{what} {name} does not exist")

    def _named(self, what: str, name: str | None, arn: str | None) -> str:
        """The name of a resource that is given by its name or by its ARN."""
        if name is None and arn is not None and arn.startswith(prefix := self.arn(f"{what}/")):
            return arn.removeprefix(prefix)
        if name is None:
            raise InvalidRequestException(f"needs a {what}, by its name or by its ARN")
        return name


def check_version(there: int, expected: int | None) -> None:
    """Raises VersionConflictException."""
    if expected is not None and expected != there:
        raise VersionConflictException(f"the version is {there}, not {expected}")
