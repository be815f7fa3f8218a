"""Thing types."""

import json
from typing import Any

from .. import names
from ..errors import InvalidRequestException, ResourceAlreadyExistsException
from .pages import listed, page
from .resources import Resources

_DELETABLE_AFTER_S = 300  # AWS's, from its deprecation


class ThingTypes(Resources):
    """Thing types, by the names and arguments of boto3's `iot` client."""

    def create_thing_type(
        self, *, thingTypeName: str, thingTypeProperties: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """As on AWS, the same once more is no error, other properties under its name are."""
        names.check("thing type", thingTypeName, names.THING_NAME)
        arn = self.arn(f"thingtype/{thingTypeName}")
        wanted = thingTypeProperties or {}
        if not self._db.one("SELECT 1 FROM thing_types WHERE name = ?", thingTypeName):
            self._db.run("INSERT INTO thing_types VALUES (?, ?)", thingTypeName, self._clock())
            self._db.run(
                "INSERT INTO thing_type_details VALUES (?, ?, NULL)", thingTypeName, json.dumps(wanted)
            )
        elif self._type_details(thingTypeName)[0] != wanted:
            raise ResourceAlreadyExistsException(
                f"thing type {thingTypeName} exists with other properties",
                resourceId=thingTypeName, resourceArn=arn,
            )  # fmt: skip
        return {
            "thingTypeName": thingTypeName,
            "thingTypeArn": arn,
            "thingTypeId": self._identifier(f"thingtype/{thingTypeName}"),
        }

    def describe_thing_type(self, *, thingTypeName: str) -> dict[str, Any]:
        self.check_thing_type(thingTypeName)
        return self._type_entry(thingTypeName) | {
            "thingTypeId": self._identifier(f"thingtype/{thingTypeName}")
        }

    def update_thing_type(
        self, *, thingTypeName: str, thingTypeProperties: dict[str, Any] | None = None
    ) -> None:
        """Properties that are given replace the ones there."""
        self.check_thing_type(thingTypeName)
        there, deprecated_s = self._type_details(thingTypeName)
        self._keep_type(thingTypeName, there | (thingTypeProperties or {}), deprecated_s)

    def list_thing_types(
        self,
        *,
        thingTypeName: str | None = None,
        maxResults: int | None = None,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        found = [name for (name,) in self._db.all("SELECT name FROM thing_types")]
        wanted = [name for name in found if thingTypeName in (None, name)]
        chosen, token = page(wanted, maxResults, nextToken)
        return listed("thingTypes", [self._type_entry(name) for name in chosen], token)

    def deprecate_thing_type(self, *, thingTypeName: str, undoDeprecate: bool = False) -> None:
        """No new thing can be of a type that is deprecated."""
        self.check_thing_type(thingTypeName)
        properties, _ = self._type_details(thingTypeName)
        self._keep_type(thingTypeName, properties, None if undoDeprecate else self._clock())

    def delete_thing_type(self, *, thingTypeName: str) -> None:
        """One that was deprecated five minutes ago, and that no thing is of."""
        self.check_thing_type(thingTypeName)
        _, deprecated_s = self._type_details(thingTypeName)
        if deprecated_s is None or self._clock() < deprecated_s + _DELETABLE_AFTER_S:
            text = f"thing type {thingTypeName}: deprecate it, and wait for {_DELETABLE_AFTER_S} s"
            raise InvalidRequestException(text)
        if self._db.one("SELECT 1 FROM things WHERE thing_type = ?", thingTypeName):
            raise InvalidRequestException(f"there are things of the type {thingTypeName}")
        self._db.run("DELETE FROM thing_type_details WHERE name = ?", thingTypeName)
        self._db.run("DELETE FROM thing_types WHERE name = ?", thingTypeName)

    def check_thing_type(self, name: str, new: bool = False) -> None:
        """Raises ResourceNotFoundException; with `new` InvalidRequestException where it is deprecated."""
        self._check("thing_types", "thing type", name)
        if new and self._type_details(name)[1] is not None:
            raise InvalidRequestException(f"thing type {name} is deprecated")

    def _type_entry(self, name: str) -> dict[str, Any]:
        properties, deprecated_s = self._type_details(name)
        created_s = self._db.all("SELECT created_s FROM thing_types WHERE name = ?", name)[0][0]
        about: dict[str, Any] = {"deprecated": deprecated_s is not None, "creationDate": created_s}
        return {
            "thingTypeName": name,
            "thingTypeArn": self.arn(f"thingtype/{name}"),
            "thingTypeProperties": properties,
            "thingTypeMetadata": about | ({"deprecationDate": deprecated_s} if deprecated_s else {}),
        }

    def _type_details(self, name: str) -> tuple[dict[str, Any], float | None]:
        """Its properties, and since when it is deprecated; a state from before has none of a type."""
        row = self._db.one("SELECT properties, deprecated_s FROM thing_type_details WHERE name = ?", name)
        return (json.loads(row[0]), row[1]) if row else ({}, None)

    def _keep_type(self, name: str, properties: dict[str, Any], deprecated_s: float | None) -> None:
        text = json.dumps(properties)
        self._db.run("INSERT OR REPLACE INTO thing_type_details VALUES (?, ?, ?)", name, text, deprecated_s)
