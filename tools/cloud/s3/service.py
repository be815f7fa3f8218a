"""All of it that belongs together: the objects, the signer, the HTTPS port."""

import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..ca import Authority
from ..events import Event
from ..limits import Limits
from ..misbehaviour import Gate
from .objects import Objects
from .presigned import Signer, decoded, encoded

if TYPE_CHECKING:
    from .downloads import Downloads

# As AWS IoT takes them in a job's document: https://s3.REGION.amazonaws.com/BUCKET/KEY.
_PATH_STYLE = re.compile(r"s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")
_HOST_STYLE = re.compile(r"([a-z0-9.-]+)\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")
_ANOTHER = ("another.example",)
_REDIRECTED_S = 300


class FilesPortError(OSError):
    """The files cannot be served where they should."""


class S3:
    """One cloud's.

    Args:
        folder: for the objects.
        authority: signs the server's certificate.
        hosts: all that it is for.
        host: what devices call this server, one of `hosts`.
        gate: of the cloud that may misbehave.
        limits: for connections, handshakes and stalled writes.
        tell: called with each Event.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        hosts: tuple[str, ...],
        host: str,
        gate: Gate,
        limits: Limits,
        tell: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        self.objects = Objects(folder)
        self._port = 0
        self._authority = authority
        self._hosts = hosts
        self._host = host
        self._gate = gate
        self._limits = limits
        self._tell = tell
        self._signer = Signer(clock)
        self._downloads: Downloads | None = None

    async def start(self, listen: str, port: int | None) -> int | None:
        """Serve by HTTPS, unless `port` is None; returns the port. Raises FilesPortError."""
        if port is None:
            return None
        from .downloads import Downloads  # noqa: PLC0415  it brings an HTTP server

        context = self._authority.server_context(self._hosts, mutual=False)
        context.sni_callback = self._choose
        served = (self.objects, self._signer, self._elsewhere, self._gate, self._limits, self._tell)
        self._downloads = Downloads(context, *served)
        try:
            self._port = await self._downloads.start(listen, port)
        except OSError as error:
            raise FilesPortError(error.errno, f"{listen} port {port}: {error.strerror}") from error
        return self._port

    async def stop(self) -> None:
        if self._downloads is not None:
            await self._downloads.stop()

    def presign(self, url: str, expires_s: int) -> str:
        """A URL for some seconds of what S3's URL names, by GET; what is no URL of S3's stays as it is."""
        parts = urlsplit(url)
        host, path = parts.hostname or "", decoded(parts.path)
        if bucket := _HOST_STYLE.fullmatch(host):
            path = f"/{bucket[1]}{path}"
        elif not _PATH_STYLE.fullmatch(host):
            return url
        return self.url(self._host, path, expires_s)

    def url(self, host: str, path: str, expires_s: int, method: str = "GET") -> str:
        """A URL at one of the server's hosts, which a method may be used on; `path` is /BUCKET/KEY."""
        place = f"[{host}]:{self._port}" if ":" in host else f"{host}:{self._port}"
        return f"https://{place}{encoded(path)}?{self._signer.query(method, place, path, expires_s)}"

    def credentials(self) -> tuple[str, str, str]:
        """Key id, secret and session token, with which S3's own clients sign URLs for this server."""
        return self._signer.credentials()

    def _elsewhere(self, host: str, path: str) -> str:
        name = host.rpartition(":")[0].strip("[]")
        others = [other for other in self._hosts if other != name]
        return self.url(others[0] if others else _ANOTHER[0], path, _REDIRECTED_S)

    def _choose(self, tls: ssl.SSLObject, name: str, context: ssl.SSLContext) -> None:
        """In a handshake: the certificate, which may be another's."""
        if self._gate.file("", "", "wrong-name"):
            tls.context = self._authority.server_context(_ANOTHER, mutual=False, file="another.pem")
