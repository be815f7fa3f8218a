"""Billing groups."""

from typing import Any

from .. import names
from ..errors import InvalidRequestException
from .pages import listed, page
from .resources import Resources, check_version

_TABLE, _WHAT = "billing_groups", "billing group"


class BillingGroups(Resources):
    """Billing groups, by the names and arguments of boto3's `iot` client; a thing is in one at most."""

    def create_billing_group(self, *, billingGroupName: str) -> dict[str, Any]:
        """As on AWS, the same once more is no error."""
        names.check(_WHAT, billingGroupName, names.THING_NAME)
        self._db.run("INSERT OR IGNORE INTO billing_groups VALUES (?, ?)", billingGroupName, self._clock())
        return self._about_billing_group(billingGroupName)

    def describe_billing_group(self, *, billingGroupName: str) -> dict[str, Any]:
        self._check(_TABLE, _WHAT, billingGroupName)
        created_s = self._db.all("SELECT created_s FROM billing_groups WHERE name = ?", billingGroupName)[0][
            0
        ]
        about = {"version": 1, "billingGroupMetadata": {"creationDate": created_s}}
        return self._about_billing_group(billingGroupName) | about

    def list_billing_groups(
        self, *, namePrefixFilter: str = "", maxResults: int | None = None, nextToken: str | None = None
    ) -> dict[str, Any]:
        found = [name for (name,) in self._db.all("SELECT name FROM billing_groups")]
        chosen, token = page([n for n in found if n.startswith(namePrefixFilter)], maxResults, nextToken)
        entries = [{"groupName": name, "groupArn": self.arn(f"billinggroup/{name}")} for name in chosen]
        return listed("billingGroups", entries, token)

    def delete_billing_group(self, *, billingGroupName: str, expectedVersion: int | None = None) -> None:
        """As on AWS, one that does not exist is no error."""
        check_version(1, expectedVersion)
        self._db.run("DELETE FROM billing_group_members WHERE name = ?", billingGroupName)
        self._db.run("DELETE FROM billing_groups WHERE name = ?", billingGroupName)

    def list_things_in_billing_group(
        self, *, billingGroupName: str, maxResults: int | None = None, nextToken: str | None = None
    ) -> dict[str, Any]:
        self._check(_TABLE, _WHAT, billingGroupName)
        rows = self._db.all("SELECT thing FROM billing_group_members WHERE name = ?", billingGroupName)
        return listed("things", *page((thing for (thing,) in rows), maxResults, nextToken))

    def add_thing_to_billing_group(
        self,
        *,
        billingGroupName: str | None = None,
        billingGroupArn: str | None = None,
        thingName: str | None = None,
        thingArn: str | None = None,
    ) -> None:
        """A thing that is in another one goes over to this one."""
        group = self._named("billinggroup", billingGroupName, billingGroupArn)
        thing = self._named("thing", thingName, thingArn)
        self._check(_TABLE, _WHAT, group)
        self._check("things", "thing", thing)
        self._db.run("INSERT OR REPLACE INTO billing_group_members VALUES (?, ?)", group, thing)

    def remove_thing_from_billing_group(
        self,
        *,
        billingGroupName: str | None = None,
        billingGroupArn: str | None = None,
        thingName: str | None = None,
        thingArn: str | None = None,
    ) -> None:
        group = self._named("billinggroup", billingGroupName, billingGroupArn)
        thing = self._named("thing", thingName, thingArn)
        if self.billing_group_of(thing) != group:
            raise InvalidRequestException(f"thing {thing} is not in billing group {group}")
        self._db.run("DELETE FROM billing_group_members WHERE thing = ?", thing)

    def billing_group_of(self, thing: str) -> str | None:
        row = self._db.one("SELECT name FROM billing_group_members WHERE thing = ?", thing)
        return row[0] if row else None

    def _about_billing_group(self, name: str) -> dict[str, Any]:
        resource = f"billinggroup/{name}"
        return {
            "billingGroupName": name,
            "billingGroupArn": self.arn(resource),
            "billingGroupId": self._identifier(resource),
        }
