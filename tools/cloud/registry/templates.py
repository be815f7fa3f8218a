"""Fleet provisioning templates, their versions, and claims that last minutes."""

import re
from typing import Any

from ..errors import InvalidRequestException, ResourceAlreadyExistsException, ResourceNotFoundException
from ..template import Template
from .pages import listed, page
from .resources import Resources
from .versions import Version, Versions

_NAME = re.compile(r"[0-9A-Za-z_-]{1,36}")
_TYPE = "FLEET_PROVISIONING"


class Templates(Resources):
    """Provisioning templates, by the names and arguments of boto3's `iot` client."""

    @property
    def _template_versions(self) -> Versions:
        return Versions(self._db, "template", self._clock)

    def create_provisioning_template(
        self,
        *,
        templateName: str,
        templateBody: str,
        provisioningRoleArn: str,
        description: str = "",
        enabled: bool = False,
        type: str = _TYPE,
    ) -> dict[str, Any]:
        """As on AWS, a template is disabled until `enabled` is set."""
        if type != _TYPE:
            raise InvalidRequestException(f"type: {type!r} is not supported here, only {_TYPE}")
        if not _NAME.fullmatch(templateName):
            raise InvalidRequestException(
                f"templateName: {templateName!r}, must be 1 to 36 of 0-9 A-Z a-z _ -"
            )
        Template(templateBody)
        arn = self.arn(f"provisioningtemplate/{templateName}")
        if self._db.one("SELECT 1 FROM templates WHERE name = ?", templateName):
            raise ResourceAlreadyExistsException(
                f"template {templateName} exists", resourceId=templateName, resourceArn=arn
            )
        self._db.run(
            "INSERT INTO templates VALUES (?, ?, ?, ?, ?, ?)",
            templateName, templateBody, description, provisioningRoleArn, enabled, self._clock(),
        )  # fmt: skip
        self._template_versions.add(templateName, templateBody, default=True)
        return {"templateName": templateName, "templateArn": arn, "defaultVersionId": 1}

    def describe_provisioning_template(self, *, templateName: str) -> dict[str, Any]:
        row = self._db.one(
            "SELECT body, role, description, enabled, created_s FROM templates WHERE name = ?", templateName
        )
        if row is None:
            raise ResourceNotFoundException(f"template {templateName} does not exist")
        more = {
            "defaultVersionId": self._template_versions.default(templateName).number,
            "templateBody": row[0],
            "provisioningRoleArn": row[1],
        }
        return self._template_entry(templateName, *row[2:]) | more

    def list_provisioning_templates(
        self, *, maxResults: int | None = None, nextToken: str | None = None
    ) -> dict[str, Any]:
        rows = self._db.all("SELECT name, description, enabled, created_s FROM templates")
        by_name = {row[0]: row for row in rows}
        chosen, token = page(by_name, maxResults, nextToken)
        return listed("templates", [self._template_entry(*by_name[name]) for name in chosen], token)

    def update_provisioning_template(
        self,
        *,
        templateName: str,
        description: str | None = None,
        enabled: bool | None = None,
        defaultVersionId: int | None = None,
        provisioningRoleArn: str | None = None,
    ) -> None:
        """What is given replaces what is there; another body is another version."""
        self.describe_provisioning_template(templateName=templateName)
        if defaultVersionId is not None:
            self._use(templateName, self._template_versions.get(templateName, defaultVersionId))
        for column, value in (
            ("description", description), ("enabled", enabled), ("role", provisioningRoleArn),
        ):  # fmt: skip
            if value is not None:
                self._db.run(f"UPDATE templates SET {column} = ? WHERE name = ?", value, templateName)  # noqa: S608

    def delete_provisioning_template(self, *, templateName: str) -> None:
        """Its claims end with it."""
        self.describe_provisioning_template(templateName=templateName)
        self._template_versions.drop(templateName)
        self._db.run("UPDATE claims SET expires_s = 0 WHERE template = ?", templateName)
        self._db.run("DELETE FROM templates WHERE name = ?", templateName)

    # Versions

    def create_provisioning_template_version(
        self, *, templateName: str, templateBody: str, setAsDefault: bool = False
    ) -> dict[str, Any]:
        about = self.describe_provisioning_template(templateName=templateName)
        Template(templateBody)
        made = self._template_versions.add(templateName, templateBody, default=False)
        if setAsDefault:
            self._use(templateName, made)
        return {
            "templateArn": about["templateArn"],
            "templateName": templateName,
            "versionId": made.number,
            "isDefaultVersion": setAsDefault,
        }

    def describe_provisioning_template_version(self, *, templateName: str, versionId: int) -> dict[str, Any]:
        self.describe_provisioning_template(templateName=templateName)
        version = self._template_versions.get(templateName, versionId)
        return _version_entry(version) | {"templateBody": version.document}

    def list_provisioning_template_versions(
        self, *, templateName: str, maxResults: int | None = None, nextToken: str | None = None
    ) -> dict[str, Any]:
        self.describe_provisioning_template(templateName=templateName)
        by_key = {f"{v.number:09}": v for v in self._template_versions.all(templateName)}
        chosen, token = page(by_key, maxResults, nextToken)
        return listed("versions", [_version_entry(by_key[key]) for key in chosen], token)

    def delete_provisioning_template_version(self, *, templateName: str, versionId: int) -> None:
        self.describe_provisioning_template(templateName=templateName)
        self._template_versions.delete(templateName, versionId)

    def _use(self, name: str, version: Version) -> None:
        self._template_versions.set_default(name, version.number)
        self._db.run("UPDATE templates SET body = ? WHERE name = ?", version.document, name)

    def _template_entry(self, name: str, description: str, enabled: int, created_s: float) -> dict[str, Any]:
        return {
            "templateArn": self.arn(f"provisioningtemplate/{name}"),
            "templateName": name,
            "description": description,
            "creationDate": created_s,
            "lastModifiedDate": created_s,
            "enabled": bool(enabled),
            "type": _TYPE,
        }


def _version_entry(version: Version) -> dict[str, Any]:
    return {
        "versionId": version.number,
        "creationDate": version.created_s,
        "isDefaultVersion": version.is_default,
    }
