"""Any broker: a real mosquitto, which takes devices with a password and devices with a certificate."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools.atomic import write_atomic
from tools.bench.mosquitto import Mosquitto, accepts, free_port, require

# Two listeners, since one of mosquitto's asks for a password or for a certificate; they share all messages.
_CONFIGURATION = """
per_listener_settings true
listener {{port}} {listen}
certfile {{folder}}/server.pem
keyfile {{folder}}/server.pem
allow_anonymous false
password_file {{folder}}/passwords
listener {certificate_port} {listen}
cafile {{folder}}/ca.pem
certfile {{folder}}/server.pem
keyfile {{folder}}/server.pem
require_certificate true
use_identity_as_username true
persistence true
persistence_location {{folder}}/
set_tcp_nodelay true
log_dest file {{folder}}/mosquitto.log
user root
"""


class Broker(Mosquitto):
    """A broker on two ports: `port` asks for user name and password, `certificate_port` for a certificate.

    Whoever is let in may do all that MQTT 3.1.1 has. `authority` issues the certificates.

    Args:
        folder: for all that it keeps, of which passwords are kept as hashes alone.
        passwords: by user name.
        hosts: what the server's certificate is for.
        listen: the address to listen on.
        port, certificate_port: TCP's; 0 for ones that are free.

    Raises:
        ValueError: a user name or a password that a password file cannot hold.
        OSError: mosquitto is not installed, or the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        passwords: Mapping[str, str],
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
        listen: str = "127.0.0.1",
        port: int = 0,
        certificate_port: int = 0,
    ) -> None:
        require()  # before anything is written
        self.certificate_port: int = certificate_port or free_port()
        configuration = _CONFIGURATION.format(listen=listen, certificate_port=self.certificate_port)
        super().__init__(folder, hosts, configuration, port)
        self._passwords = folder / "passwords"
        self.set_passwords(passwords)

    async def _listens(self) -> bool:
        return await super()._listens() and await accepts(self.certificate_port)

    @property
    def root_pem(self) -> str:
        """The certificate (PEM) that devices have to trust."""
        return self.authority.root_pem

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Have these user names and no others, from the next start on. Raises as the class does."""
        for name, password in passwords.items():
            if not name or not password or set(name + password) & set(":\r\n\0"):
                text = "it and its password have one character at least, no colon and no line's end"
                raise ValueError(f"user name {name!r}: {text}")
        plain = self._passwords.with_suffix(".new")
        try:
            write_atomic(plain, "".join(f"{n}:{p}\n" for n, p in passwords.items()).encode(), 0o600)
            # Hashed in the file: on a command line all users of this machine could read them.
            subprocess.run(["mosquitto_passwd", "-U", plain], check=True, capture_output=True)
            os.replace(plain, self._passwords)
        finally:
            plain.unlink(missing_ok=True)
