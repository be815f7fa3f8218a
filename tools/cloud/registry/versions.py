"""The versions of what has versions: policies and provisioning templates."""

from collections.abc import Callable
from dataclasses import dataclass

from ..database import Database
from ..errors import DeleteConflictException, ResourceNotFoundException, VersionsLimitExceededException

_MOST = 5  # AWS's, of both


@dataclass(frozen=True)
class Version:
    number: int
    document: str
    is_default: bool
    created_s: float


class Versions:
    """Documents under a name, numbered from 1; one of them is the default. A number is given once.

    Args:
        database: where they are kept.
        kind: "policy" or "template".
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, kind: str, clock: Callable[[], float]) -> None:
        self._db = database
        self._kind = kind
        self._clock = clock

    def add(self, name: str, document: str, default: bool) -> Version:
        """Raises VersionsLimitExceededException."""
        there = self.all(name)
        if len(there) >= _MOST:
            raise VersionsLimitExceededException(
                f"{self._kind} {name} has {_MOST} versions, which is the most; delete one of them first"
            )
        sql = "SELECT max(version) FROM versions WHERE kind = ? AND name = ?"
        number = (self._db.all(sql, self._kind, name)[0][0] or 0) + 1
        made_s = self._clock()
        self._db.run(
            "INSERT INTO versions VALUES (?, ?, ?, ?, 0, ?)", self._kind, name, number, document, made_s
        )
        if default:
            self.set_default(name, number)
        return Version(number, document, default, made_s)

    def all(self, name: str) -> list[Version]:
        """The oldest first."""
        rows = self._db.all(
            "SELECT version, document, is_default, created_s FROM versions "
            "WHERE kind = ? AND name = ? AND document IS NOT NULL ORDER BY version",
            self._kind, name,
        )  # fmt: skip
        return [
            Version(number, document, bool(default), made_s) for number, document, default, made_s in rows
        ]

    def get(self, name: str, number: object) -> Version:
        """Raises ResourceNotFoundException."""
        for version in self.all(name):
            if str(version.number) == str(number):
                return version
        raise ResourceNotFoundException(f"{self._kind} {name} has no version {number}")

    def default(self, name: str) -> Version:
        """The one in use; ResourceNotFoundException where there is nothing of this name."""
        for version in self.all(name):
            if version.is_default:
                return version
        raise ResourceNotFoundException(f"{self._kind} {name} does not exist")

    def set_default(self, name: str, number: int) -> None:
        self._db.run(
            "UPDATE versions SET is_default = (version = ?) WHERE kind = ? AND name = ?",
            number, self._kind, name,
        )  # fmt: skip

    def delete(self, name: str, number: object) -> None:
        """Raises ResourceNotFoundException, DeleteConflictException for the default one."""
        version = self.get(name, number)
        if version.is_default:
            raise DeleteConflictException(f"version {number} of {self._kind} {name} is its default one")
        sql = "UPDATE versions SET document = NULL WHERE kind = ? AND name = ? AND version = ?"
        self._db.run(sql, self._kind, name, version.number)

    def drop(self, name: str) -> None:
        """All of them, and the name; DeleteConflictException where there is more than the default."""
        if len(self.all(name)) > 1:
            text = f"{self._kind} {name} has versions beside its default one; delete them first"
            raise DeleteConflictException(text)
        self._db.run("DELETE FROM versions WHERE kind = ? AND name = ?", self._kind, name)
