"""The JSON Web Token by which a device of ClearBlade IoT Core proves who it is."""

from collections.abc import Sequence

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.types import Options

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

SKEW_S = 600  # how much the device's clock may differ
_LONGEST_S = 24 * 3600
_LAST_S = 1e12  # and no NaN, which JSON has as Python reads it
_RSA_MIN_BITS = 2048
# The times are judged by the cloud's own clock, which PyJWT cannot be given.
_CHECKS: Options = {
    "require": ["iat", "exp", "aud"],
    "strict_aud": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class TokenError(Exception):
    """No token for this device, now; its text says why."""


def load_key(pem: str) -> PublicKey:
    """A device's public key; ValueError where it is neither for ES256 nor for RS256."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except Exception as error:  # whatever the parser makes of it
        raise ValueError(f"public key: not a PEM public key: {error}") from None
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _RSA_MIN_BITS:
        return key
    raise ValueError(f"public key: neither of P-256 nor RSA of {_RSA_MIN_BITS} bits and more")


def judge(token: str, keys: Sequence[PublicKey], project: str, now_s: float) -> float:
    """The moment when the token ends and its connection with it, the skew included.

    Args:
        token: what came as password.
        keys: the device's; any of them may have signed.
        project: whose id must be the audience.
        now_s: seconds since 1970.

    Raises:
        TokenError: it is none that counts.
    """
    if "=" in token:
        raise TokenError("base64url with padding, which a token has not")
    claims = _claims(token, keys, project)
    issued_s, ends_s = claims["iat"], claims["exp"]
    for name, value in (("iat", issued_s), ("exp", ends_s)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LAST_S:
            raise TokenError(f"{name}: not a number of seconds")
    if issued_s > now_s + SKEW_S:
        raise TokenError(f"iat: {issued_s - now_s:.0f} s ahead of the cloud's clock, {SKEW_S} s at most")
    if ends_s + SKEW_S <= now_s:
        raise TokenError(f"exp: it ended {now_s - ends_s:.0f} s ago")
    if ends_s - issued_s > _LONGEST_S + SKEW_S:
        raise TokenError(f"exp: {ends_s - issued_s:.0f} s after iat, {_LONGEST_S} s at most")
    return ends_s + SKEW_S


def _claims(token: str, keys: Sequence[PublicKey], project: str) -> dict[str, float]:
    """What the token claims, once one of the keys has signed it."""
    error: Exception = TokenError("the device has no key")
    for key in keys:
        algorithm = "ES256" if isinstance(key, ec.EllipticCurvePublicKey) else "RS256"
        try:
            return jwt.decode(token, key, algorithms=[algorithm], audience=project, options=_CHECKS)
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError) as refused:
            error = refused  # another key may have signed it
        except jwt.PyJWTError as refused:
            raise TokenError(str(refused)) from None
    raise TokenError(str(error))
