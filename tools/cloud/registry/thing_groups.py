"""Static thing groups: a tree of them, and which things are in them."""

import json
from typing import Any

from .. import names
from ..errors import (
    InvalidRequestException,
    LimitExceededException,
    ResourceAlreadyExistsException,
)
from .pages import listed, page
from .resources import Resources, check_version

_MAX_GROUPS = 10  # for one thing
_MAX_DEPTH = 7  # of the tree
_TABLE, _WHAT = "thing_groups", "thing group"


class ThingGroups(Resources):
    """Thing groups, by the names and arguments of boto3's `iot` client."""

    def create_thing_group(
        self,
        *,
        thingGroupName: str,
        parentGroupName: str | None = None,
        thingGroupProperties: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """As on AWS, the same once more is no error, another content under its name is."""
        names.check(_WHAT, thingGroupName, names.THING_NAME)
        wanted = (parentGroupName, _properties({}, thingGroupProperties))
        if not self._db.one("SELECT 1 FROM thing_groups WHERE name = ?", thingGroupName):
            self._check_parent(parentGroupName)
            self._db.run("INSERT INTO thing_groups VALUES (?, ?)", thingGroupName, self._clock())
            self._keep_group(thingGroupName, *wanted, 1)
        elif self._group_details(thingGroupName)[:2] != wanted:
            raise ResourceAlreadyExistsException(
                f"thing group {thingGroupName} exists with another content",
                resourceId=thingGroupName, resourceArn=self._group_arn(thingGroupName),
            )  # fmt: skip
        return self._about_group(thingGroupName)

    def describe_thing_group(self, *, thingGroupName: str) -> dict[str, Any]:
        self._check(_TABLE, _WHAT, thingGroupName)
        parent, properties, version = self._group_details(thingGroupName)
        created_s = self._db.all("SELECT created_s FROM thing_groups WHERE name = ?", thingGroupName)[0][0]
        metadata: dict[str, Any] = {"creationDate": created_s}
        if parent is not None:
            above = [self._group_entry(name) for name in reversed(self._above(thingGroupName))]
            metadata |= {"parentGroupName": parent, "rootToParentThingGroups": above}
        more = {"version": version, "thingGroupProperties": properties, "thingGroupMetadata": metadata}
        return self._about_group(thingGroupName) | more

    def update_thing_group(
        self, *, thingGroupName: str, thingGroupProperties: dict[str, Any], expectedVersion: int | None = None
    ) -> dict[str, Any]:
        """Attributes replace the ones there, or with `merge` join them."""
        self._check(_TABLE, _WHAT, thingGroupName)
        parent, properties, version = self._group_details(thingGroupName)
        check_version(version, expectedVersion)
        self._keep_group(thingGroupName, parent, _properties(properties, thingGroupProperties), version + 1)
        return {"version": version + 1}

    def delete_thing_group(self, *, thingGroupName: str, expectedVersion: int | None = None) -> None:
        """As on AWS, one that does not exist is no error; one with others below it is."""
        if self._children(thingGroupName):
            raise InvalidRequestException(
                f"thing group {thingGroupName} has others below it; delete them first"
            )
        check_version(self._group_details(thingGroupName)[2], expectedVersion)
        self._db.run("DELETE FROM policy_targets WHERE target = ?", self._group_arn(thingGroupName))
        for table in ("thing_group_members", "thing_group_details", "thing_groups"):
            self._db.run(f"DELETE FROM {table} WHERE name = ?", thingGroupName)  # noqa: S608
        self._changed()

    def list_thing_groups(
        self,
        *,
        parentGroup: str | None = None,
        namePrefixFilter: str = "",
        recursive: bool | None = None,
        maxResults: int | None = None,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        """All, or those right below a group; with `recursive` all below it, without only those at the top."""
        if parentGroup is not None:
            self._check(_TABLE, _WHAT, parentGroup)
        if parentGroup is not None and recursive:
            found = self._below(parentGroup)
        elif parentGroup is not None or recursive is False:
            found = self._children(parentGroup)
        else:
            found = [name for (name,) in self._db.all("SELECT name FROM thing_groups")]
        chosen, token = page([n for n in found if n.startswith(namePrefixFilter)], maxResults, nextToken)
        return listed("thingGroups", [self._group_entry(name) for name in chosen], token)

    # Their things

    def list_thing_groups_for_thing(
        self, *, thingName: str, maxResults: int | None = None, nextToken: str | None = None
    ) -> dict[str, Any]:
        chosen, token = page(self._groups_of(thingName), maxResults, nextToken)
        return listed("thingGroups", [self._group_entry(name) for name in chosen], token)

    def list_things_in_thing_group(
        self,
        *,
        thingGroupName: str,
        recursive: bool = False,
        maxResults: int | None = None,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        """With `recursive` also those of the groups below it."""
        self._check(_TABLE, _WHAT, thingGroupName)
        groups = [thingGroupName, *(self._below(thingGroupName) if recursive else ())]
        sql = "SELECT thing FROM thing_group_members WHERE name = ?"
        things = {thing for group in groups for (thing,) in self._db.all(sql, group)}
        return listed("things", *page(things, maxResults, nextToken))

    def add_thing_to_thing_group(
        self,
        *,
        thingGroupName: str | None = None,
        thingGroupArn: str | None = None,
        thingName: str | None = None,
        thingArn: str | None = None,
    ) -> None:
        group = self._named("thinggroup", thingGroupName, thingGroupArn)
        thing = self._named("thing", thingName, thingArn)
        self._check(_TABLE, _WHAT, group)
        groups = self._groups_of(thing)
        if group not in groups and len(groups) >= _MAX_GROUPS:
            raise LimitExceededException(f"thing {thing} is in {_MAX_GROUPS} groups, which is the most")
        self._db.run("INSERT OR IGNORE INTO thing_group_members VALUES (?, ?)", group, thing)
        self._changed()

    def remove_thing_from_thing_group(
        self,
        *,
        thingGroupName: str | None = None,
        thingGroupArn: str | None = None,
        thingName: str | None = None,
        thingArn: str | None = None,
    ) -> None:
        group = self._named("thinggroup", thingGroupName, thingGroupArn)
        thing = self._named("thing", thingName, thingArn)
        self._check(_TABLE, _WHAT, group)
        self._db.run("DELETE FROM thing_group_members WHERE name = ? AND thing = ?", group, thing)
        self._changed()

    def update_thing_groups_for_thing(
        self,
        *,
        thingName: str | None = None,
        thingGroupsToAdd: list[str] | None = None,
        thingGroupsToRemove: list[str] | None = None,
    ) -> None:
        for group in thingGroupsToRemove or ():
            self.remove_thing_from_thing_group(thingGroupName=group, thingName=thingName)
        for group in thingGroupsToAdd or ():
            self.add_thing_to_thing_group(thingGroupName=group, thingName=thingName)

    # The tree

    def arns_over(self, thing: str) -> list[str]:
        """Of all groups that a thing is in, by itself or as they are below others."""
        groups = self._groups_of(thing)
        return [self._group_arn(name) for group in groups for name in (group, *self._above(group))]

    def arns_above(self, group: str) -> list[str]:
        return [self._group_arn(name) for name in self._above(group)]

    def _above(self, group: str) -> list[str]:
        """Its parent first, the root last."""
        names_above: list[str] = []
        parent = self._group_details(group)[0]
        while parent is not None:
            names_above.append(parent)
            parent = self._group_details(parent)[0]
        return names_above

    def _below(self, group: str) -> list[str]:
        children = self._children(group)
        return children + [name for child in children for name in self._below(child)]

    def _children(self, group: str | None) -> list[str]:
        """Of a group, or those at the top."""
        sql = (
            "SELECT name FROM thing_groups LEFT JOIN thing_group_details USING (name) "
            "WHERE parent IS ? ORDER BY name"
        )
        return [name for (name,) in self._db.all(sql, group)]

    def _check_parent(self, parent: str | None) -> None:
        if parent is None:
            return
        self._check(_TABLE, _WHAT, parent)
        if len(self._above(parent)) + 2 > _MAX_DEPTH:
            raise InvalidRequestException(f"groups are at most {_MAX_DEPTH} deep")

    def _groups_of(self, thing: str) -> list[str]:
        self._check("things", "thing", thing)
        sql = "SELECT name FROM thing_group_members WHERE thing = ? ORDER BY name"
        return [name for (name,) in self._db.all(sql, thing)]

    def _group_arn(self, name: str) -> str:
        return self.arn(f"thinggroup/{name}")

    def _group_entry(self, name: str) -> dict[str, Any]:
        return {"groupName": name, "groupArn": self._group_arn(name)}

    def _about_group(self, name: str) -> dict[str, Any]:
        identifier = self._identifier(f"thinggroup/{name}")
        return {"thingGroupName": name, "thingGroupArn": self._group_arn(name), "thingGroupId": identifier}

    def _group_details(self, name: str) -> tuple[str | None, dict[str, Any], int]:
        """Parent, properties and version; a state from before has none of a group."""
        sql = "SELECT parent, properties, version FROM thing_group_details WHERE name = ?"
        row = self._db.one(sql, name)
        return (row[0], json.loads(row[1]), row[2]) if row else (None, {}, 1)

    def _keep_group(self, name: str, parent: str | None, properties: dict[str, Any], version: int) -> None:
        sql = "INSERT OR REPLACE INTO thing_group_details VALUES (?, ?, ?, ?)"
        self._db.run(sql, name, parent, json.dumps(properties), version)


def _properties(there: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    """A group's properties after an update."""
    made = there | {name: value for name, value in (given or {}).items() if name != "attributePayload"}
    payload = (given or {}).get("attributePayload")
    if payload is not None:
        base = there.get("attributePayload", {}).get("attributes", {}) if payload.get("merge") else {}
        attributes = names.merged(base, payload.get("attributes", {}))
        names.check_attributes(attributes, with_type=True)
        made["attributePayload"] = {"attributes": attributes}
    return made
