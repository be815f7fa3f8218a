"""The camera's service on this computer: its functions in this process, behind the local cloud's rules."""

import os
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore.config import Config
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tools import pages
from tools.cloud import Cloud
from tools.cloud.rules import Call
from tools.cloud.s3.objects import MOST_BYTES
from tools.cloud.s3.presigned import REGION
from tools.phone.serve import PAGE as COMMON

from .service.access import OnThisComputer
from .service.functions import Service
from .service.settings import Settings
from .service.web import PAGE, make_app

# As in template.yaml; a test holds them equal.
PRESENCE_SQL = (
    "SELECT topic(2) AS thing, principal() AS principal, clientid() AS client "
    "FROM 'telemetry/+/online' WHERE online"
)
OUTCOME_SQL = (
    "SELECT topic(3) AS thing, state.reported.snapshot AS snapshot "
    "FROM '$aws/things/+/shadow/update/accepted' WHERE state.reported.snapshot.outcome <> ''"
)
_BUCKET = "pictures"
_HOST, _ADDRESS = "localhost", "127.0.0.1"
# Nothing of the user's settings for AWS counts here.
_NO_SETTINGS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class LocalService:
    """What AWS runs of the service, in this process.

    Its rules have to be there before the cloud is, and its clients need the cloud: so it is opened later.
    """

    def __init__(self) -> None:
        self._service: Service | None = None

    def rules(self) -> dict[str, Call]:
        """For the cloud."""
        return {
            "camera_presence": Call(PRESENCE_SQL, self._presence),
            "camera_outcome": Call(OUTCOME_SQL, self._outcome),
        }

    def _presence(self, event: Any) -> object:
        return self.service.presence(event)

    def _outcome(self, event: Any) -> object:
        return self.service.outcome(event)

    @property
    def service(self) -> Service:
        """It, once it is open."""
        if self._service is None:
            raise RuntimeError("the service is not open yet")
        return self._service

    def open(self, cloud: Cloud, host: str = _HOST, url_s: int = 900) -> Service:
        """Make its bucket and its clients. Blocks, so that it belongs in a thread.

        Args:
            cloud: which has started, with its files' port and its control plane.
            host: what cameras call the cloud.
            url_s: how long the URL of an upload is good for.
        """
        client = _clients(cloud)
        client("s3").create_bucket(Bucket=_BUCKET)
        uploads = f"https://{host}:{cloud.files_port}"
        settings = Settings(_BUCKET, secrets.token_urlsafe(32), url_s, uploads)
        self._service = Service(settings, client, MOST_BYTES)
        return self._service


class PageServer:
    """The page on loopback, in a thread of its own, as long as the context lasts.

    Args:
        service: whose page it is.
        port: 0 takes any free one.

    Raises:
        PageError: on entry, where the port is taken.
    """

    def __init__(self, service: Service, port: int = 0) -> None:
        self._app = make_app(
            service.snapshots, OnThisComputer(lambda host: pages.is_known(host, _HOST)), (PAGE, COMMON)
        )
        self._port = port
        self._server: BaseWSGIServer | None = None

    @property
    def url(self) -> str:
        """The page's address."""
        assert self._server is not None
        return f"http://{_HOST}:{self._server.server_address[1]}/"

    def __enter__(self) -> "PageServer":
        try:
            listener = socket.create_server((_ADDRESS, self._port))
        except OSError as error:  # werkzeug would end the process
            reason = f"cannot listen on {_HOST} port {self._port}: {error.strerror}"
            raise pages.PageError(reason, "Stop what uses it, or give another --port.") from None
        with listener:
            self._server = make_server(
                _ADDRESS, self._port, self._app, True, request_handler=_Quiet, fd=listener.fileno()
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(WSGIRequestHandler):
    """Tells no request, and who it is in no header."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass

    def version_string(self) -> str:
        return "cameras"


def _clients(cloud: Cloud) -> Callable[..., Any]:
    """Makes botocore's clients of this cloud; one for another of its ports signs what that checks."""
    session = botocore.session.Session(_NO_SETTINGS)
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20, proxies={})
    rest = cloud.rest_url.replace("localhost", "127.0.0.1")  # an address, with which buckets are in the path

    def client(name: str, **options: Any) -> Any:
        keys = cloud.s3.credentials() if "endpoint_url" in options else ("local", "local", None)
        return session.create_client(
            name,
            REGION,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            aws_session_token=keys[2],
            **{"endpoint_url": rest, **options, "config": once.merge(options.get("config", Config()))},
        )

    return client
