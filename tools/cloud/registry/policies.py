"""Policies, their versions, and what they are attached to."""

import hashlib
from typing import Any

from .. import names
from ..errors import DeleteConflictException, ResourceAlreadyExistsException
from ..policy import Policy
from .groups import Groups
from .pages import listed, page
from .resources import Resources
from .versions import Version, Versions


class Policies(Resources):
    """Policies, by the names and arguments of boto3's `iot` client.

    What they are attached to, a target, is a certificate or a thing group.
    """

    groups: Groups

    @property
    def _policy_versions(self) -> Versions:
        return Versions(self._db, "policy", self._clock)

    def create_policy(self, *, policyName: str, policyDocument: str) -> dict[str, Any]:
        names.check("policyName", policyName, names.POLICY_NAME)
        Policy(policyDocument)
        arn = self.arn(f"policy/{policyName}")
        if self._db.one("SELECT 1 FROM policies WHERE name = ?", policyName):
            raise ResourceAlreadyExistsException(
                f"policy {policyName} exists", resourceId=policyName, resourceArn=arn
            )
        self._db.run("INSERT INTO policies VALUES (?, ?, ?)", policyName, policyDocument, self._clock())
        self._policy_versions.add(policyName, policyDocument, default=True)
        return {
            "policyName": policyName,
            "policyArn": arn,
            "policyDocument": policyDocument,
            "policyVersionId": "1",
        }

    def get_policy(self, *, policyName: str) -> dict[str, Any]:
        """With the document of the default version."""
        versions = self._policy_versions.all(policyName)
        default = self._policy_versions.default(policyName)
        return {
            "policyName": policyName,
            "policyArn": self.arn(f"policy/{policyName}"),
            "policyDocument": default.document,
            "defaultVersionId": str(default.number),
            "creationDate": versions[0].created_s,
            "lastModifiedDate": versions[-1].created_s,
        }

    def list_policies(
        self, *, pageSize: int | None = None, marker: str | None = None, ascendingOrder: bool = True
    ) -> dict[str, Any]:
        found = [name for (name,) in self._db.all("SELECT name FROM policies")]
        return self._listed(*page(found, pageSize, marker, ascendingOrder))

    def delete_policy(self, *, policyName: str) -> None:
        self.get_policy(policyName=policyName)
        if self._db.one("SELECT 1 FROM policy_targets WHERE policy = ?", policyName):
            raise DeleteConflictException(f"policy {policyName} is attached; detach it first")
        self._policy_versions.drop(policyName)
        self._db.run("DELETE FROM policies WHERE name = ?", policyName)

    def ensure_policy(self, document: str, name: str | None = None) -> str:
        """The name of a policy with this document, its hash unless given; made when it is new."""
        name = name or hashlib.sha256(document.encode()).hexdigest()
        if not self._db.one("SELECT 1 FROM policies WHERE name = ?", name):
            self.create_policy(policyName=name, policyDocument=document)
        return name

    # Versions

    def create_policy_version(
        self, *, policyName: str, policyDocument: str, setAsDefault: bool = False
    ) -> dict[str, Any]:
        self.get_policy(policyName=policyName)
        Policy(policyDocument)
        made = self._policy_versions.add(policyName, policyDocument, default=False)
        if setAsDefault:
            self.set_default_policy_version(policyName=policyName, policyVersionId=str(made.number))
        return {
            "policyArn": self.arn(f"policy/{policyName}"),
            "policyDocument": policyDocument,
            "policyVersionId": str(made.number),
            "isDefaultVersion": setAsDefault,
        }

    def get_policy_version(self, *, policyName: str, policyVersionId: str) -> dict[str, Any]:
        version = self._policy_version(policyName, policyVersionId)
        return {
            "policyArn": self.arn(f"policy/{policyName}"),
            "policyName": policyName,
            "policyDocument": version.document,
            "policyVersionId": str(version.number),
            "isDefaultVersion": version.is_default,
            "creationDate": version.created_s,
            "lastModifiedDate": version.created_s,
        }

    def list_policy_versions(self, *, policyName: str) -> dict[str, Any]:
        """The newest first."""
        self.get_policy(policyName=policyName)
        versions = [
            {"versionId": str(v.number), "isDefaultVersion": v.is_default, "createDate": v.created_s}
            for v in reversed(self._policy_versions.all(policyName))
        ]
        return {"policyVersions": versions}

    def set_default_policy_version(self, *, policyName: str, policyVersionId: str) -> None:
        """Holds for connections that are there, too."""
        version = self._policy_version(policyName, policyVersionId)
        self._policy_versions.set_default(policyName, version.number)
        self._db.run("UPDATE policies SET document = ? WHERE name = ?", version.document, policyName)
        self._changed()

    def delete_policy_version(self, *, policyName: str, policyVersionId: str) -> None:
        self._policy_version(policyName, policyVersionId)
        self._policy_versions.delete(policyName, policyVersionId)

    def _policy_version(self, name: str, number: str) -> Version:
        self.get_policy(policyName=name)
        return self._policy_versions.get(name, number)

    # Targets

    def attach_policy(self, *, policyName: str, target: str) -> None:
        """Attach a policy to the ARN of a certificate or of a thing group."""
        self.get_policy(policyName=policyName)
        self._check_target(target)
        self._db.run("INSERT OR IGNORE INTO policy_targets VALUES (?, ?)", policyName, target)
        self._changed()

    def detach_policy(self, *, policyName: str, target: str) -> None:
        self.get_policy(policyName=policyName)
        self._db.run("DELETE FROM policy_targets WHERE policy = ? AND target = ?", policyName, target)
        self._changed()

    def list_attached_policies(
        self,
        *,
        target: str,
        recursive: bool = False,
        pageSize: int | None = None,
        marker: str | None = None,
    ) -> dict[str, Any]:
        """With `recursive` also those of the groups above a thing group."""
        targets = [target]
        if recursive and target.startswith(prefix := self.arn("thinggroup/")):
            targets += self.groups.arns_above(target.removeprefix(prefix))
        return self._listed(*page(self._policies_of(*targets), pageSize, marker))

    def list_targets_for_policy(
        self, *, policyName: str, pageSize: int | None = None, marker: str | None = None
    ) -> dict[str, Any]:
        self.get_policy(policyName=policyName)
        rows = self._db.all("SELECT target FROM policy_targets WHERE policy = ?", policyName)
        targets, token = page((target for (target,) in rows), pageSize, marker)
        return listed("targets", targets, token, "nextMarker")

    def get_effective_policies(
        self, *, principal: str | None = None, thingName: str | None = None
    ) -> dict[str, Any]:
        """What holds for a certificate, and for a thing by its groups."""
        if thingName is not None:
            self._check("things", "thing", thingName)
        if principal is not None:
            self._check_target(principal)
        targets = [principal] if principal else []
        targets += self.groups.arns_over(thingName) if thingName else []
        policies = [self.get_policy(policyName=name) for name in self._policies_of(*targets)]
        wanted = ("policyName", "policyArn", "policyDocument")
        return {"effectivePolicies": [{name: policy[name] for name in wanted} for policy in policies]}

    def _policies_of(self, *targets: str) -> list[str]:
        """The names of all that is attached to one of them."""
        sql = "SELECT policy FROM policy_targets WHERE target = ?"
        return sorted({name for target in targets for (name,) in self._db.all(sql, target)})

    def _check_target(self, target: str) -> None:
        if target.startswith(prefix := self.arn("thinggroup/")):
            self._check("thing_groups", "thing group", target.removeprefix(prefix))
        else:
            self._certificate_of(target)

    def _listed(self, found: list[str], token: str | None) -> dict[str, Any]:
        entries = [{"policyName": name, "policyArn": self.arn(f"policy/{name}")} for name in found]
        return listed("policies", entries, token, "nextMarker")
