"""Provisioning claims: certificates that last minutes, for a phone or a factory to hand to devices."""

import json
from typing import Any

from .. import fleet
from .certificates import Certificates
from .templates import Templates

_LIFETIME_S = 300  # AWS's ("Provisioning by trusted user")


class Claims(Certificates, Templates):
    """Provisioning claims, by the names and arguments of boto3's `iot` client."""

    def create_provisioning_claim(self, *, templateName: str) -> dict[str, Any]:
        """A certificate that may provision by this template and nothing else; with its key, kept nowhere."""
        self.describe_provisioning_template(templateName=templateName)
        made = self.create_keys_and_certificate(setAsActive=True)
        expires_s = self._clock() + _LIFETIME_S
        self._db.run("INSERT INTO claims VALUES (?, ?, ?)", made["certificateId"], templateName, expires_s)
        return {
            "certificateId": made["certificateId"],
            "certificatePem": made["certificatePem"],
            "keyPair": made["keyPair"],
            "expiration": expires_s,
        }

    def purge_claims(self) -> None:
        """Those that have expired are gone, with their connections."""
        sql = "SELECT certificate_id FROM claims WHERE expires_s <= ?"
        expired = self._db.all(sql, self._clock())
        if not expired:
            return
        with self._db.transaction():
            for (identifier,) in expired:
                self.set_certificate_status(identifier, "INACTIVE")
                arn = self.arn(f"cert/{identifier}")
                self._db.run("DELETE FROM thing_principals WHERE principal = ?", arn)
                self.delete_certificate(certificateId=identifier, forceDelete=True)

    def claim_documents(self, certificate_id: str) -> list[str]:
        """The policy document of a claim that has not expired; none where the certificate is no claim."""
        sql = "SELECT template FROM claims WHERE certificate_id = ? AND expires_s > ?"
        rows = self._db.all(sql, certificate_id, self._clock())
        return [json.dumps(fleet.claim_policy(self.arn, template, temporary=True)) for (template,) in rows]
