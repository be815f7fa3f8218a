"""Things, and the certificates that are theirs."""

import json
from collections.abc import Iterator
from typing import Any

from .. import names
from ..errors import InvalidRequestException, ResourceAlreadyExistsException, ResourceNotFoundException
from .groups import Groups
from .pages import listed, page
from .resources import Resources, check_version


class Things(Resources):
    """Things, by the names and arguments of boto3's `iot` client."""

    groups: Groups

    def create_thing(
        self,
        *,
        thingName: str,
        thingTypeName: str | None = None,
        attributePayload: dict[str, Any] | None = None,
        billingGroupName: str | None = None,
    ) -> dict[str, Any]:
        """As on AWS, the same thing once more is no error, another content under its name is."""
        names.check("thingName", thingName, names.THING_NAME)
        wanted = (thingTypeName, (attributePayload or {}).get("attributes", {}))
        names.check_attributes(wanted[1], thingTypeName is not None)
        row = self._db.one("SELECT thing_type, attributes FROM things WHERE name = ?", thingName)
        if thingTypeName is not None:
            self.groups.check_thing_type(thingTypeName, new=row is None)
        arn = self.arn(f"thing/{thingName}")
        if row is None:
            self._db.run(
                "INSERT INTO things VALUES (?, ?, ?, 1)", thingName, wanted[0], json.dumps(wanted[1])
            )
            if billingGroupName is not None:
                self.groups.add_thing_to_billing_group(billingGroupName=billingGroupName, thingName=thingName)
        elif (row[0], json.loads(row[1])) != wanted:
            raise ResourceAlreadyExistsException(
                f"thing {thingName} exists with another content", resourceId=thingName, resourceArn=arn
            )
        return {"thingName": thingName, "thingArn": arn, "thingId": self._identifier(f"thing/{thingName}")}

    def describe_thing(self, *, thingName: str) -> dict[str, Any]:
        row = self._db.one("SELECT thing_type, attributes, version FROM things WHERE name = ?", thingName)
        if row is None:
            raise ResourceNotFoundException(f"thing {thingName} does not exist")
        thing = {
            "thingName": thingName,
            "thingId": self._identifier(f"thing/{thingName}"),
            "thingArn": self.arn(f"thing/{thingName}"),
            "defaultClientId": thingName,
            "attributes": json.loads(row[1]),
            "version": row[2],
        }
        billing_group = self.groups.billing_group_of(thingName)
        thing |= {"billingGroupName": billing_group} if billing_group else {}
        return thing | ({"thingTypeName": row[0]} if row[0] else {})

    def update_thing(
        self,
        *,
        thingName: str,
        thingTypeName: str | None = None,
        attributePayload: dict[str, Any] | None = None,
        expectedVersion: int | None = None,
        removeThingType: bool = False,
    ) -> None:
        """Attributes replace the ones there, or with `merge` join them (an empty value removes one)."""
        thing = self.describe_thing(thingName=thingName)
        check_version(thing["version"], expectedVersion)
        if thingTypeName is not None:
            if removeThingType:
                raise InvalidRequestException("removeThingType and thingTypeName: only one of them")
            self.groups.check_thing_type(thingTypeName, new=thingTypeName != thing.get("thingTypeName"))
        thing_type = None if removeThingType else thingTypeName or thing.get("thingTypeName")
        attributes = thing["attributes"]
        if attributePayload is not None:
            base = attributes if attributePayload.get("merge") else {}
            attributes = names.merged(base, attributePayload.get("attributes", {}))
        names.check_attributes(attributes, thing_type is not None)
        self._db.run(
            "UPDATE things SET thing_type = ?, attributes = ?, version = version + 1 WHERE name = ?",
            thing_type, json.dumps(attributes), thingName,
        )  # fmt: skip
        self._changed()

    def delete_thing(self, *, thingName: str, expectedVersion: int | None = None) -> None:
        """As on AWS, one that does not exist is no error; one with certificates attached is."""
        row = self._db.one("SELECT version FROM things WHERE name = ?", thingName)
        if row is None:
            return
        check_version(row[0], expectedVersion)
        if self._principals_of(thingName):
            text = f"cannot delete: thing {thingName} is still attached to one or more principals"
            raise InvalidRequestException(text)
        self._db.run("DELETE FROM thing_group_members WHERE thing = ?", thingName)
        self._db.run("DELETE FROM billing_group_members WHERE thing = ?", thingName)
        self._db.run("DELETE FROM things WHERE name = ?", thingName)
        self._changed()

    def list_things(
        self,
        *,
        attributeName: str | None = None,
        attributeValue: str | None = None,
        thingTypeName: str | None = None,
        usePrefixAttributeValue: bool = False,
        maxResults: int | None = None,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        """Those of a type, with an attribute, with this value of it or one that begins so."""
        if attributeValue is not None and attributeName is None:
            raise InvalidRequestException("attributeValue: needs an attributeName")
        found = self._having(attributeName, attributeValue, usePrefixAttributeValue, thingTypeName)
        chosen, token = page(found, maxResults, nextToken)
        return listed("things", [self.describe_thing(thingName=name) for name in chosen], token)

    def _having(
        self, name: str | None, value: str | None, prefix: bool, thing_type: str | None
    ) -> Iterator[str]:
        for thing, its_type, text in self._db.all("SELECT name, thing_type, attributes FROM things"):
            if thing_type not in (None, its_type):
                continue
            if name is not None:
                there = json.loads(text).get(name)
                matches = there is not None if value is None else there == value
                if not (matches or (prefix and there is not None and there.startswith(value or ""))):
                    continue
            yield thing

    # Principals

    def attach_thing_principal(self, *, thingName: str, principal: str) -> None:
        self.describe_thing(thingName=thingName)
        self._certificate_of(principal)
        self._db.run("INSERT OR IGNORE INTO thing_principals VALUES (?, ?)", thingName, principal)
        self._changed()

    def detach_thing_principal(self, *, thingName: str, principal: str) -> None:
        self._db.run("DELETE FROM thing_principals WHERE thing = ? AND principal = ?", thingName, principal)
        self._changed()

    def list_thing_principals(
        self, *, thingName: str, maxResults: int | None = None, nextToken: str | None = None
    ) -> dict[str, Any]:
        self.describe_thing(thingName=thingName)
        return listed("principals", *page(self._principals_of(thingName), maxResults, nextToken))

    def list_principal_things(
        self, *, principal: str, maxResults: int | None = None, nextToken: str | None = None
    ) -> dict[str, Any]:
        rows = self._db.all("SELECT thing FROM thing_principals WHERE principal = ?", principal)
        return listed("things", *page((thing for (thing,) in rows), maxResults, nextToken))

    def _principals_of(self, thing: str) -> list[str]:
        rows = self._db.all("SELECT principal FROM thing_principals WHERE thing = ?", thing)
        return [principal for (principal,) in rows]
