"""Who may register with DPS, by what, and as which device.

Source: "Symmetric key attestation", "X.509 attestation" of the Device Provisioning Service's concepts.
"""

import ssl
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.x509.oid import NameOID

from . import sas


@dataclass
class Enrolment:
    """An individual enrolment, or a group.

    Args:
        name: the registration id, or the group's name.
        keys: primary and secondary in base64; a group's are what its devices' keys are derived from.
        certificate: the device's, or the CA's that signed the group's devices (PEM); "" where it has keys.
        group: whether it is one.
        device_id: what the device is called in the hub; "" is its registration id.
        enabled: False: its devices get the status "disabled".
    """

    name: str
    keys: tuple[str, ...] = field(default=(), repr=False)
    certificate: str = ""
    group: bool = False
    device_id: str = ""
    enabled: bool = True

    def keys_of(self, registration_id: str) -> tuple[str, ...]:
        """The keys by which a device may sign."""
        if self.group:
            return tuple(sas.derived_key(key, registration_id) for key in self.keys)
        return self.keys if registration_id == self.name else ()

    def vouches(self, registration_id: str, certificate: bytes) -> bool:
        """Whether a device's certificate (DER) is by what this enrolment has."""
        if not self.certificate:
            return False
        if not self.group:
            return registration_id == self.name and certificate == ssl.PEM_cert_to_DER_cert(self.certificate)
        try:
            shown = x509.load_der_x509_certificate(certificate)
            shown.verify_directly_issued_by(x509.load_pem_x509_certificate(self.certificate.encode()))
        except Exception:  # a stranger's certificate: whatever is wrong with it
            return False
        return True


def common_name(certificate: bytes) -> str:
    """The subject's common name of a certificate (DER), "" for none: it is the registration id."""
    try:
        subject = x509.load_der_x509_certificate(certificate).subject
    except ValueError:  # what OpenSSL takes and this parser does not
        return ""
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
