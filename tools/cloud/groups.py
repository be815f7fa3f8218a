"""Thing types, thing groups and billing groups, by the names and arguments of boto3's `iot` client."""

from collections.abc import Callable
from typing import Any

from . import names
from .database import Database
from .errors import InvalidRequestException, LimitExceededException, ResourceNotFoundException

_MAX_GROUPS = 10  # for one thing

# The table of each kind, and what it is called in errors.
_TYPE, _GROUP, _BILLING = (
    ("thing_types", "thing type"),
    ("thing_groups", "thing group"),
    ("billing_groups", "billing group"),
)


class Groups:
    """What things are sorted by.

    Args:
        database: where all of it is kept.
        arn: makes the ARN of a resource such as `thinggroup/lamps`.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, arn: Callable[[str], str], clock: Callable[[], float]) -> None:
        self._db = database
        self._arn = arn
        self._clock = clock

    # Types

    def create_thing_type(self, *, thingTypeName: str) -> dict[str, Any]:
        self._create(_TYPE, thingTypeName)
        return {"thingTypeName": thingTypeName, "thingTypeArn": self._arn(f"thingtype/{thingTypeName}")}

    def list_thing_types(self) -> dict[str, Any]:
        return {"thingTypes": [{"thingTypeName": name} for name in self._names(_TYPE)]}

    def check_thing_type(self, name: str) -> None:
        """Raises ResourceNotFoundException."""
        self._check(_TYPE, name)

    # Groups of things

    def create_thing_group(self, *, thingGroupName: str) -> dict[str, Any]:
        self._create(_GROUP, thingGroupName)
        return {"thingGroupName": thingGroupName, "thingGroupArn": self._arn(f"thinggroup/{thingGroupName}")}

    def list_thing_groups(self) -> dict[str, Any]:
        return {"thingGroups": [self._entry(name) for name in self._names(_GROUP)]}

    def list_thing_groups_for_thing(self, *, thingName: str) -> dict[str, Any]:
        return {"thingGroups": [self._entry(name) for name in self._groups_of(thingName)]}

    def list_things_in_thing_group(self, *, thingGroupName: str) -> dict[str, Any]:
        self._check(_GROUP, thingGroupName)
        sql = "SELECT thing FROM thing_group_members WHERE name = ? ORDER BY thing"
        return {"things": [thing for (thing,) in self._db.all(sql, thingGroupName)]}

    def add_thing_to_thing_group(self, *, thingGroupName: str, thingName: str) -> None:
        self._check(_GROUP, thingGroupName)
        groups = self._groups_of(thingName)
        if thingGroupName not in groups and len(groups) >= _MAX_GROUPS:
            raise LimitExceededException(f"thing {thingName} is in {_MAX_GROUPS} groups, which is the most")
        self._db.run("INSERT OR IGNORE INTO thing_group_members VALUES (?, ?)", thingGroupName, thingName)

    def remove_thing_from_thing_group(self, *, thingGroupName: str, thingName: str) -> None:
        self._check(_GROUP, thingGroupName)
        self._db.run(
            "DELETE FROM thing_group_members WHERE name = ? AND thing = ?", thingGroupName, thingName
        )

    def _groups_of(self, thing: str) -> list[str]:
        self._check_thing(thing)
        sql = "SELECT name FROM thing_group_members WHERE thing = ? ORDER BY name"
        return [name for (name,) in self._db.all(sql, thing)]

    def _entry(self, name: str) -> dict[str, str]:
        return {"groupName": name, "groupArn": self._arn(f"thinggroup/{name}")}

    # Billing groups, of which a thing has at most one

    def create_billing_group(self, *, billingGroupName: str) -> dict[str, Any]:
        self._create(_BILLING, billingGroupName)
        arn = self._arn(f"billinggroup/{billingGroupName}")
        return {"billingGroupName": billingGroupName, "billingGroupArn": arn}

    def list_billing_groups(self) -> dict[str, Any]:
        return {"billingGroups": [{"groupName": name} for name in self._names(_BILLING)]}

    def list_things_in_billing_group(self, *, billingGroupName: str) -> dict[str, Any]:
        self._check(_BILLING, billingGroupName)
        sql = "SELECT thing FROM billing_group_members WHERE name = ? ORDER BY thing"
        return {"things": [thing for (thing,) in self._db.all(sql, billingGroupName)]}

    def add_thing_to_billing_group(self, *, billingGroupName: str, thingName: str) -> None:
        """A thing that is in another one goes over to this one."""
        self._check(_BILLING, billingGroupName)
        self._check_thing(thingName)
        self._db.run(
            "INSERT OR REPLACE INTO billing_group_members VALUES (?, ?)", billingGroupName, thingName
        )

    def remove_thing_from_billing_group(self, *, billingGroupName: str, thingName: str) -> None:
        if self.billing_group_of(thingName) != billingGroupName:
            raise InvalidRequestException(f"thing {thingName} is not in billing group {billingGroupName}")
        self._db.run("DELETE FROM billing_group_members WHERE thing = ?", thingName)

    def billing_group_of(self, thing: str) -> str | None:
        row = self._db.one("SELECT name FROM billing_group_members WHERE thing = ?", thing)
        return row[0] if row else None

    # All of them

    def _create(self, kind: tuple[str, str], name: str) -> None:
        """As on AWS, the same once more is no error."""
        table, what = kind
        names.check(what, name, names.THING_NAME)
        self._db.run(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", name, self._clock())  # noqa: S608

    def _names(self, kind: tuple[str, str]) -> list[str]:
        return [name for (name,) in self._db.all(f"SELECT name FROM {kind[0]} ORDER BY name")]  # noqa: S608

    def _check(self, kind: tuple[str, str], name: str) -> None:
        table, what = kind
        if not self._db.one(f"SELECT 1 FROM {table} WHERE name = ?", name):  # noqa: S608
            raise ResourceNotFoundException(f"{what} {name} does not exist")

    def _check_thing(self, name: str) -> None:
        if not self._db.one("SELECT 1 FROM things WHERE name = ?", name):
            raise ResourceNotFoundException(f"thing {name} does not exist")
