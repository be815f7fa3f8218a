"""Certificates of devices."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cryptography import x509

from .. import ca
from ..errors import (
    CertificateStateException,
    DeleteConflictException,
    InvalidRequestException,
    ResourceNotFoundException,
)
from .pages import listed, page
from .resources import Resources

_STATUSES = ("ACTIVE", "INACTIVE", "REVOKED")


class Certificates(Resources):
    """Certificates, by the names and arguments of boto3's `iot` client."""

    _authority: ca.Authority
    on_certificate_status: Callable[[str, str], None] | None = None

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
            "ownedBy": self._account,
            "creationDate": row[2],
            "lastModifiedDate": row[2],
            "validity": _validity(row[0]),
            "certificateMode": "DEFAULT",
        }
        return {"certificateDescription": description}

    def list_certificates(
        self, *, pageSize: int | None = None, marker: str | None = None, ascendingOrder: bool = True
    ) -> dict[str, Any]:
        """In the order in which they were made."""
        rows = self._db.all("SELECT certificate_id, status, created_s FROM certificates")
        by_key = {
            f"{created_s:020.6f} {identifier}": row for row in rows for identifier, _, created_s in [row]
        }
        keys, token = page(by_key, pageSize, marker, ascendingOrder)
        certificates = [
            {
                "certificateArn": self.arn(f"cert/{identifier}"),
                "certificateId": identifier,
                "status": status,
                "certificateMode": "DEFAULT",
                "creationDate": created_s,
            }
            for identifier, status, created_s in map(by_key.__getitem__, keys)
        ]
        return listed("certificates", certificates, token, "nextMarker")

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

    def delete_certificate(self, *, certificateId: str, forceDelete: bool = False) -> None:
        """One that is ACTIVE or attached to a thing stays; with `forceDelete` its policies are detached."""
        certificate = self.describe_certificate(certificateId=certificateId)["certificateDescription"]
        arn = certificate["certificateArn"]
        if certificate["status"] == "ACTIVE":
            raise CertificateStateException(f"certificate {certificateId} is ACTIVE; deactivate it first")
        if self._db.one("SELECT 1 FROM thing_principals WHERE principal = ?", arn):
            raise DeleteConflictException(f"things are attached to certificate {certificateId}")
        if not forceDelete and self._db.one("SELECT 1 FROM policy_targets WHERE target = ?", arn):
            raise DeleteConflictException(f"policies are attached to certificate {certificateId}")
        self._db.run("DELETE FROM policy_targets WHERE target = ?", arn)
        self._db.run("DELETE FROM claims WHERE certificate_id = ?", certificateId)
        self._db.run("DELETE FROM tokens WHERE certificate_id = ?", certificateId)
        self._db.run("DELETE FROM certificates WHERE certificate_id = ?", certificateId)
        self._db.after_commit(lambda: self._tell_status(certificateId, "deleted"))

    def _tell_status(self, certificate_id: str, status: str) -> None:
        if self.on_certificate_status is not None:
            self.on_certificate_status(certificate_id, status)


@lru_cache(maxsize=256)  # a description is asked for at each connection
def _validity(pem: str) -> dict[str, float]:
    certificate = x509.load_pem_x509_certificate(pem.encode())
    before, after = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return {"notBefore": before.timestamp(), "notAfter": after.timestamp()}
