"""The signature by which a device of Alibaba's IoT Platform proves who it is."""

import hashlib
import hmac
from dataclasses import dataclass

from tools.cloud import packet as mqtt

_METHODS = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}
_CLIENT_ID_CHARACTERS = 64
_TLS = "2"
_ID, _PASSWORD = mqtt.IDENTIFIER_REJECTED, mqtt.BAD_USER_NAME_OR_PASSWORD


class SignError(Exception):
    """No sign-in of this device; its text says why, `code` is the CONNACK's."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class SignIn:
    """What a CONNECT says.

    Args:
        client_id: the device's own, before the first `|`.
        options: what stands between the two `|`, such as `securemode` and `signmethod`.
        device, product: from the user name.
    """

    client_id: str
    options: dict[str, str]
    device: str
    product: str

    @classmethod
    def parse(cls, client_id: str, user_name: str) -> "SignIn":
        """Take a client id and a user name apart. Raises SignError."""
        own, bar, rest = client_id.partition("|")
        if not bar or not rest.endswith("|"):
            raise SignError(
                "client id: not of the form ID|securemode=2,signmethod=hmacsha256,timestamp=…|", _ID
            )
        if not 1 <= len(own) <= _CLIENT_ID_CHARACTERS:
            raise SignError(f"client id: 1 to {_CLIENT_ID_CHARACTERS} characters before the |", _ID)
        pairs = [option.partition("=") for option in rest[:-1].split(",") if option]
        device, ampersand, product = user_name.partition("&")
        if not ampersand or not device or not product:
            raise SignError("user name: not of the form DEVICE&PRODUCT", _PASSWORD)
        return cls(own, {name: value for name, _, value in pairs}, device, product)

    def check(self, password: bytes, secret: str) -> None:
        """Raises SignError, unless the password is what the device's secret makes of the rest, over TLS."""
        mode = self.options.get("securemode")
        if mode != _TLS:
            raise SignError(f"client id: securemode={mode}, which is not TLS's ({_TLS})", _ID)
        expected = sign(self.content(), secret, self.options.get("signmethod", ""))
        if not hmac.compare_digest(expected.encode(), password.lower()):
            raise SignError("password: not what the device's secret signs", _PASSWORD)

    def content(self) -> str:
        """What is signed: names and values, in the order of the names."""
        timestamp = self.options.get("timestamp")
        named = {"clientId": self.client_id, "deviceName": self.device, "productKey": self.product}
        named |= {"timestamp": timestamp} if timestamp is not None else {}
        return "".join(name + named[name] for name in sorted(named))


def sign(content: str, secret: str, method: str) -> str:
    """The signature in hex digits. Raises SignError for a method that there is not."""
    if method not in _METHODS:
        raise SignError(f"client id: signmethod={method or 'none'}, not one of {', '.join(_METHODS)}", _ID)
    return hmac.new(secret.encode(), content.encode(), _METHODS[method]).hexdigest()
