"""Configurations for tests. The certificates and keys (P-256, to 2049) are made for them and nobody's."""

import binascii

_ROOT = (
    "MIIBKjCB0KADAgECAgEBMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCVRlc3Qgcm9vdDAeFw0yNjAxMDIwMDAwMDBaFw00OTEy"
    "MzEyMzU5NTlaMBQxEjAQBgNVBAMMCVRlc3Qgcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABITN6rtrSzKPo2BQnFFU"
    "pVsHPVjooYPQ3r3Uphw36s+qJR71FpGk+19Me2fol/gCUYH11KiO3H0iRB71FGl6uSejEzARMA8GA1UdEwEB/wQFMAMBAf8w"
    "CgYIKoZIzj0EAwIDSQAwRgIhAOorhgJ2Ml+s6v+A/Bk3udKazBdTfIo5h6d/YxaNP4UBAiEA/dPXXpnA0OhAH4PejN1SiB40"
    "DGfcahBn8VW6G4rSGDg="
)
_CLAIM = (
    "MIIBDzCBt6ADAgECAgECMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCVRlc3Qgcm9vdDAeFw0yNjAxMDIwMDAwMDBaFw00OTEy"
    "MzEyMzU5NTlaMBAxDjAMBgNVBAMMBWNsYWltMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJbD5TSm5u7BqRNRnTt3Nn+m8"
    "dC/4JMNBM4L14EgR3aKXzHLiAhFZRa52rRG/X2Pm3OdDSEZMIDZo5+At52iJATAKBggqhkjOPQQDAgNHADBEAiByp7OMK2UA"
    "S2WjtnrjEBU2YD2w2zhWoo5aJ0BULIQl8gIgG9TRKa4RmS+GU1WWDxohMI+Gvq3KiAG+/auC/6XlUWw="
)
_CLAIM_KEY = (
    "MHcCAQEEIAZjCdlEtlYTdu7LB/GJxSLMjeUrU9N9FAvE5BXVFvPJoAoGCCqGSM49AwEHoUQDQgAEJbD5TSm5u7BqRNRnTt3N"
    "n+m8dC/4JMNBM4L14EgR3aKXzHLiAhFZRa52rRG/X2Pm3OdDSEZMIDZo5+At52iJAQ=="
)
_OWN = (
    "MIIBDjCBtaADAgECAgEDMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCVRlc3Qgcm9vdDAeFw0yNjAxMDIwMDAwMDBaFw00OTEy"
    "MzEyMzU5NTlaMA4xDDAKBgNVBAMMA293bjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABL0Fue77Guu/Y49Mou/FMXrVLcNF"
    "ONGDSoBmj2Mi5FpKOeHyytrh4F2KQIuJTUJYhEbVCJE3LLr743rEFaWyxjIwCgYIKoZIzj0EAwIDSAAwRQIgfVm/zb3XPeZA"
    "hsWZ9gHoxZiQdaSGkb5P1S2XbUEPD5kCIQCwNTPLLQQoD2EEu4WAzs380jR4DB4aI44b1Dv2KVGa8Q=="
)
_OWN_KEY = (
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgyTcRarAR/SsxHAkg57MVpVk1e2T9VLRSn3k1sUqMmOuhRANC"
    "AAS9Bbnu+xrrv2OPTKLvxTF61S3DRTjRg0qAZo9jIuRaSjnh8sra4eBdikCLiU1CWIRG1QiRNyy6++N6xBWlssYy"
)


def pem(label="CERTIFICATE", size=300, fill=0x42):
    """A PEM block around a DER SEQUENCE of `size` bytes with nothing in it."""
    data = b"\x30\x82" + (size - 4).to_bytes(2, "big") + bytes([fill]) * (size - 4)
    return wrapped(label, str(binascii.b2a_base64(data), "ascii").strip())


def wrapped(label, base64):
    """A PEM block around DER in base64."""
    lines = [base64[i : i + 64] for i in range(0, len(base64), 64)]
    return "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n".format(label, "\n".join(lines))


ROOT = wrapped("CERTIFICATE", _ROOT)
CLAIM = wrapped("CERTIFICATE", _CLAIM)
CLAIM_KEY = wrapped("EC PRIVATE KEY", _CLAIM_KEY)
OWN = wrapped("CERTIFICATE", _OWN)
OWN_KEY = wrapped("PRIVATE KEY", _OWN_KEY)


def claim():
    """A whole configuration with a claim, new for each caller."""
    return {
        "wifi": [{"ssid": "Home", "password": "correct horse"}, {"ssid": "Café"}],
        "aws": {
            "endpoint": "broker.example.com",
            "template": "Fleet_1",
            "parameters": {"SerialNumber": "{id}"},
            "root_ca": ROOT,
            "claim_certificate": CLAIM,
            "claim_key": CLAIM_KEY,
        },
    }


def own():
    """A whole configuration with a thing's own certificate."""
    document = claim()
    aws = document["aws"]
    for member in ("template", "claim_certificate", "claim_key"):
        del aws[member]
    aws["thing_name"] = "lamp:7"
    aws["certificate"] = OWN
    aws["key"] = OWN_KEY
    return document
