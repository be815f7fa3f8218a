"""Certificates, policies, things and templates, by the names and arguments of boto3's `iot` client."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from typing import Any

from . import ca, names
from .database import Database
from .errors import (
    DeleteConflictException,
    InvalidRequestException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from .groups import Groups
from .policy import Policy
from .template import Template

_TEMPLATE_NAME = re.compile(r"[0-9A-Za-z_-]{1,36}")
_STATUSES = ("ACTIVE", "INACTIVE", "REVOKED")


class Registry:
    """The control plane's part that a device's connection depends on.

    Args:
        database: where all of it is kept.
        authority: signs what create_keys_and_certificate and create_certificate_from_csr make.
        clock: seconds since 1970.
        region, account_id: what ARNs are made of.
    """

    def __init__(
        self,
        database: Database,
        authority: ca.Authority,
        clock: Callable[[], float] = time.time,
        region: str = "us-east-1",
        account_id: str = "123456789012",
    ) -> None:
        self._db = database
        self._authority = authority
        self._clock = clock
        self._arn_prefix = f"arn:aws:iot:{region}:{account_id}:"
        self.groups = Groups(database, self.arn, clock)
        self.revision = 0  # grows with each change that an authorisation can depend on
        self.on_certificate_status: Callable[[str, str], None] | None = None

    def arn(self, resource: str) -> str:
        """The ARN of a resource such as `topic/a/b` or `cert/0123…`."""
        return self._arn_prefix + resource

    # Certificates

    def create_keys_and_certificate(self, *, setAsActive: bool = False) -> dict[str, Any]:
        """A new key pair and its certificate; the private key is returned here and kept nowhere."""
        pem, key = self._authority.issue()
        pair = {"PublicKey": ca.public_key_pem(pem), "PrivateKey": key}
        return self._add_certificate(pem, "ACTIVE" if setAsActive else "INACTIVE") | {"keyPair": pair}

    def create_certificate_from_csr(
        self, *, certificateSigningRequest: str, setAsActive: bool = False
    ) -> dict[str, Any]:
        """Raises CertificateValidationException."""
        pem = self._authority.sign(certificateSigningRequest)
        return self._add_certificate(pem, "ACTIVE" if setAsActive else "INACTIVE")

    def _add_certificate(self, pem: str, status: str) -> dict[str, Any]:
        identifier = ca.certificate_id(pem)
        self._db.run("INSERT INTO certificates VALUES (?, ?, ?, ?)", identifier, pem, status, self._clock())
        return {
            "certificateArn": self.arn(f"cert/{identifier}"),
            "certificateId": identifier,
            "certificatePem": pem,
        }

    def describe_certificate(self, *, certificateId: str) -> dict[str, Any]:
        row = self._db.one(
            "SELECT pem, status, created_s FROM certificates WHERE certificate_id = ?", certificateId
        )
        if row is None:
            raise ResourceNotFoundException(f"certificate {certificateId} does not exist")
        description = {
            "certificateArn": self.arn(f"cert/{certificateId}"),
            "certificateId": certificateId,
            "certificatePem": row[0],
            "status": row[1],
            "creationDate": row[2],
        }
        return {"certificateDescription": description}

    def list_certificates(self) -> dict[str, Any]:
        rows = self._db.all("SELECT certificate_id, status, created_s FROM certificates ORDER BY created_s")
        certificates = [
            {"certificateArn": self.arn(f"cert/{i}"), "certificateId": i, "status": s, "creationDate": c}
            for i, s, c in rows
        ]
        return {"certificates": certificates}

    def update_certificate(self, *, certificateId: str, newStatus: str) -> None:
        """Activate, deactivate or revoke; a connection whose certificate is no longer ACTIVE is closed."""
        if newStatus not in _STATUSES:
            raise InvalidRequestException(f"newStatus: {newStatus!r}, must be one of {', '.join(_STATUSES)}")
        self.describe_certificate(certificateId=certificateId)
        self.set_certificate_status(certificateId, newStatus)

    def set_certificate_status(self, certificate_id: str, status: str) -> None:
        """As update_certificate, with the statuses that only the service sets (PENDING_ACTIVATION)."""
        self._db.run("UPDATE certificates SET status = ? WHERE certificate_id = ?", status, certificate_id)
        self._changed()
        self._db.after_commit(lambda: self._tell_status(certificate_id, status))

    def _tell_status(self, certificate_id: str, status: str) -> None:
        if self.on_certificate_status is not None:
            self.on_certificate_status(certificate_id, status)

    # Policies

    def create_policy(self, *, policyName: str, policyDocument: str) -> dict[str, Any]:
        names.check("policyName", policyName, names.POLICY_NAME)
        Policy(policyDocument)
        if self._db.one("SELECT 1 FROM policies WHERE name = ?", policyName):
            raise ResourceAlreadyExistsException(f"policy {policyName} exists")
        self._db.run("INSERT INTO policies VALUES (?, ?, ?)", policyName, policyDocument, self._clock())
        return self.get_policy(policyName=policyName)

    def get_policy(self, *, policyName: str) -> dict[str, Any]:
        row = self._db.one("SELECT document FROM policies WHERE name = ?", policyName)
        if row is None:
            raise ResourceNotFoundException(f"policy {policyName} does not exist")
        return {
            "policyName": policyName,
            "policyArn": self.arn(f"policy/{policyName}"),
            "policyDocument": row[0],
            "policyVersionId": "1",
        }

    def list_policies(self) -> dict[str, Any]:
        found = [name for (name,) in self._db.all("SELECT name FROM policies ORDER BY name")]
        return {"policies": [{"policyName": n, "policyArn": self.arn(f"policy/{n}")} for n in found]}

    def delete_policy(self, *, policyName: str) -> None:
        self.get_policy(policyName=policyName)
        if self._db.one("SELECT 1 FROM policy_targets WHERE policy = ?", policyName):
            raise DeleteConflictException(f"policy {policyName} is attached; detach it first")
        self._db.run("DELETE FROM policies WHERE name = ?", policyName)

    def attach_policy(self, *, policyName: str, target: str) -> None:
        """Attach a policy to a certificate's ARN."""
        self.get_policy(policyName=policyName)
        self._certificate_of(target)
        self._db.run("INSERT OR IGNORE INTO policy_targets VALUES (?, ?)", policyName, target)
        self._changed()

    def detach_policy(self, *, policyName: str, target: str) -> None:
        self.get_policy(policyName=policyName)
        self._db.run("DELETE FROM policy_targets WHERE policy = ? AND target = ?", policyName, target)
        self._changed()

    def list_attached_policies(self, *, target: str) -> dict[str, Any]:
        rows = self._db.all("SELECT policy FROM policy_targets WHERE target = ? ORDER BY policy", target)
        return {"policies": [{"policyName": n, "policyArn": self.arn(f"policy/{n}")} for (n,) in rows]}

    def ensure_policy(self, document: str, name: str | None = None) -> str:
        """The name of a policy with this document, its hash unless given; made when it is new."""
        name = name or hashlib.sha256(document.encode()).hexdigest()
        if not self._db.one("SELECT 1 FROM policies WHERE name = ?", name):
            self.create_policy(policyName=name, policyDocument=document)
        return name

    # Things

    def create_thing(
        self,
        *,
        thingName: str,
        thingTypeName: str | None = None,
        attributePayload: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """As on AWS, the same thing once more is no error, another content under its name is."""
        names.check("thingName", thingName, names.THING_NAME)
        if thingTypeName is not None:
            self.groups.check_thing_type(thingTypeName)
        wanted = (thingTypeName, (attributePayload or {}).get("attributes", {}))
        names.check_attributes(wanted[1], thingTypeName is not None)
        row = self._db.one("SELECT thing_type, attributes FROM things WHERE name = ?", thingName)
        if row is None:
            self._db.run(
                "INSERT INTO things VALUES (?, ?, ?, 1)", thingName, wanted[0], json.dumps(wanted[1])
            )
        elif (row[0], json.loads(row[1])) != wanted:
            raise ResourceAlreadyExistsException(f"thing {thingName} exists with another content")
        return {"thingName": thingName, "thingArn": self.arn(f"thing/{thingName}")}

    def describe_thing(self, *, thingName: str) -> dict[str, Any]:
        row = self._db.one("SELECT thing_type, attributes, version FROM things WHERE name = ?", thingName)
        if row is None:
            raise ResourceNotFoundException(f"thing {thingName} does not exist")
        thing = {
            "thingName": thingName,
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
    ) -> None:
        """Attributes replace the ones there, or with `merge` join them (an empty value removes one)."""
        thing = self.describe_thing(thingName=thingName)
        if thingTypeName is not None:
            self.groups.check_thing_type(thingTypeName)
        thing_type = thingTypeName or thing.get("thingTypeName")
        attributes = thing["attributes"]
        if attributePayload is not None:
            base = attributes if attributePayload.get("merge") else {}
            attributes = {k: v for k, v in (base | attributePayload.get("attributes", {})).items() if v != ""}
        names.check_attributes(attributes, thing_type is not None)
        self._db.run(
            "UPDATE things SET thing_type = ?, attributes = ?, version = version + 1 WHERE name = ?",
            thing_type, json.dumps(attributes), thingName,
        )  # fmt: skip
        self._changed()

    def list_things(self) -> dict[str, Any]:
        found = [name for (name,) in self._db.all("SELECT name FROM things ORDER BY name")]
        return {"things": [self.describe_thing(thingName=name) for name in found]}

    def attach_thing_principal(self, *, thingName: str, principal: str) -> None:
        self.describe_thing(thingName=thingName)
        self._certificate_of(principal)
        self._db.run("INSERT OR IGNORE INTO thing_principals VALUES (?, ?)", thingName, principal)
        self._changed()

    def detach_thing_principal(self, *, thingName: str, principal: str) -> None:
        self._db.run("DELETE FROM thing_principals WHERE thing = ? AND principal = ?", thingName, principal)
        self._changed()

    def list_thing_principals(self, *, thingName: str) -> dict[str, Any]:
        self.describe_thing(thingName=thingName)
        rows = self._db.all("SELECT principal FROM thing_principals WHERE thing = ?", thingName)
        return {"principals": [principal for (principal,) in rows]}

    def list_principal_things(self, *, principal: str) -> dict[str, Any]:
        rows = self._db.all(
            "SELECT thing FROM thing_principals WHERE principal = ? ORDER BY thing", principal
        )
        return {"things": [thing for (thing,) in rows]}

    # Templates

    def create_provisioning_template(
        self,
        *,
        templateName: str,
        templateBody: str,
        provisioningRoleArn: str,
        description: str = "",
        enabled: bool = False,
        type: str = "FLEET_PROVISIONING",
    ) -> dict[str, Any]:
        """As on AWS, a template is disabled until `enabled` is set."""
        if type != "FLEET_PROVISIONING":
            raise InvalidRequestException(f"type: {type!r} is not supported here, only FLEET_PROVISIONING")
        if not _TEMPLATE_NAME.fullmatch(templateName):
            raise InvalidRequestException(
                f"templateName: {templateName!r}, must be 1 to 36 of 0-9 A-Z a-z _ -"
            )
        Template(templateBody)
        if self._db.one("SELECT 1 FROM templates WHERE name = ?", templateName):
            raise ResourceAlreadyExistsException(f"template {templateName} exists")
        self._db.run(
            "INSERT INTO templates VALUES (?, ?, ?, ?, ?, ?)",
            templateName, templateBody, description, provisioningRoleArn, enabled, self._clock(),
        )  # fmt: skip
        arn = self.arn(f"provisioningtemplate/{templateName}")
        return {"templateName": templateName, "templateArn": arn, "defaultVersionId": 1}

    def describe_provisioning_template(self, *, templateName: str) -> dict[str, Any]:
        row = self._db.one(
            "SELECT body, description, role, enabled FROM templates WHERE name = ?", templateName
        )
        if row is None:
            raise ResourceNotFoundException(f"template {templateName} does not exist")
        return {
            "templateName": templateName,
            "templateArn": self.arn(f"provisioningtemplate/{templateName}"),
            "templateBody": row[0],
            "description": row[1],
            "provisioningRoleArn": row[2],
            "enabled": bool(row[3]),
        }

    def list_provisioning_templates(self) -> dict[str, Any]:
        rows = self._db.all("SELECT name, description, enabled FROM templates ORDER BY name")
        return {"templates": [{"templateName": n, "description": d, "enabled": bool(e)} for n, d, e in rows]}

    def _certificate_of(self, arn: str) -> str:
        prefix = self.arn("cert/")
        if not arn.startswith(prefix):
            raise InvalidRequestException(f"{arn!r} is not the ARN of a certificate ({prefix}…)")
        identifier = arn.removeprefix(prefix)
        self.describe_certificate(certificateId=identifier)
        return identifier

    def _changed(self) -> None:
        self._db.after_commit(self._next_revision)

    def _next_revision(self) -> None:
        self.revision += 1
