"""Where a cloud listens: kept in its state directory for whoever looks for it there."""

import json
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.atomic import write_atomic

_FILE = "endpoint.json"
MQTT_PORT = 8883
PAGE = "dashboard"  # the client that the live page is
_PAGE_ID = re.compile(rf"{PAGE}-[0-9a-f]{{8}}")


@dataclass(frozen=True)
class Endpoint:
    """How a program on this machine reaches the cloud.

    Args:
        host: for the connection, and in the server's certificate.
        port: TCP's.
        hosts: all that the server's certificate is for.
        rest_url: the control plane's, for boto3's `endpoint_url`; "" where it is not served.
    """

    host: str = "localhost"
    port: int = MQTT_PORT
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    rest_url: str = ""

    @classmethod
    def of(cls, listen: str, port: int, hosts: tuple[str, ...], rest_url: str = "") -> "Endpoint":
        """The endpoint of a cloud that listens on this address."""
        everywhere = listen in ("0.0.0.0", "::", "127.0.0.1", "::1", "")  # noqa: S104
        return cls(hosts[0] if everywhere or listen not in hosts else listen, port, hosts, rest_url)

    @classmethod
    def load(cls, state: Path) -> "Endpoint":
        """That of the cloud which was started last with this directory; the usual one where none was."""
        try:
            kept = json.loads((state / _FILE).read_text("utf-8"))
            hosts = tuple(map(str, kept["hosts"]))
            return cls(str(kept["host"]), int(kept["port"]), hosts, str(kept.get("rest_url", "")))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, state: Path) -> None:
        """Keep it; OSError."""
        write_atomic(state / _FILE, json.dumps(asdict(self)).encode())


def kept_port(state: Path) -> int:
    """The port of the cloud which was started last with this directory: its devices know it. 0: of none."""
    return Endpoint.load(state).port if (state / _FILE).exists() else 0


def new_page_id() -> str:
    """A client id for the live page: several may be open, and a broker keeps one of each id."""
    return f"{PAGE}-{secrets.token_hex(4)}"


def is_page(client_id: str) -> bool:
    """Whether it is a live page's, and no device's whose name only begins like that."""
    return _PAGE_ID.fullmatch(client_id) is not None
