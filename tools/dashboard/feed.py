"""The messages of a cloud, over one MQTT connection with a thread of its own (paho-mqtt)."""

import asyncio
import contextlib
import logging
import ssl
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tools.board.errors import BoardError
from tools.cloud.clients import Client
from tools.cloud.endpoint import new_page_id
from tools.dashboard.messages import FILTERS

_KEEP_ALIVE_S = 60
_WAITING_MAX = 20_000  # messages, some ten seconds of a large fleet's
_TURN = 200  # so many at once, then others have the event loop
_RETRY_S = (1, 30)
_PAYLOAD_MAX = 128 * 1024
_log = logging.getLogger(__name__)

OnMessage = Callable[[str, bytes], None]


class Feed:
    """Subscribed to what the page shows, and connected again whenever that ends.

    Args:
        client: paho's, with TLS set.
        address: where the broker is.
        on_message: called in the event loop with topic and payload.
        before: called in the feed's thread before each connection; what it raises is a connection that fails.
    """

    def __init__(
        self,
        client: mqtt.Client,
        address: tuple[str, int],
        on_message: OnMessage,
        before: Callable[[], None] | None = None,
    ) -> None:
        self.connected = False
        self.dropped = 0
        self._client = client
        self._address = address
        self._on_message = on_message
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._lock = threading.Lock()
        self._is_called = False
        self.on_state: Callable[[], None] = lambda: None  # called in the event loop
        client.on_connect = self._connect
        client.on_disconnect = self._disconnect
        client.on_message = self._message
        client.reconnect_delay_set(*_RETRY_S)
        self._before = before
        client.on_pre_connect = self._prepare

    @classmethod
    def local(cls, client: Client, on_message: OnMessage) -> "Feed":
        """The local cloud's, with a certificate of its own. Raises BoardError."""
        made = _client("tcp")
        try:
            context = ssl.create_default_context(cafile=str(client.root_ca))
            context.load_cert_chain(client.certificate, client.key)
        except OSError as error:  # ssl.SSLError is one
            raise BoardError(f"{client.key}: {error.strerror or error}", "Try again.") from None
        made.tls_set_context(context)
        return cls(made, (client.endpoint.host, client.endpoint.port), on_message)

    @classmethod
    def aws(cls, endpoint: str, credentials: Callable[[], Any], region: str, on_message: OnMessage) -> "Feed":
        """AWS's: over a WebSocket whose URL is signed anew for each connection.

        Args:
            endpoint: the account's for data, HOST or HOST:PORT.
            credentials: botocore's, fresh ones.
            region: of AWS.
            on_message: as for the class.
        """
        made = _client("websockets")
        made.tls_set()

        def sign() -> None:
            made.ws_set_options(path=signed_path(endpoint, credentials(), region))

        host, _, port = endpoint.partition(":")
        return cls(made, (host, int(port or 443)), on_message, sign)

    async def __aenter__(self) -> "Feed":
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(*self._address, keepalive=_KEEP_ALIVE_S)
        self._client.loop_start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def _prepare(self, *_: object) -> None:
        try:
            if self._before:
                self._before()
        except Exception as error:  # anything else than an OSError would end paho's thread for good
            _log.warning("%s: %s", self._address[0], error)
            raise ConnectionError(str(error)) from error

    def _connect(
        self, _client: object, _data: object, _flags: object, reason: mqtt.ReasonCode, _properties: object
    ) -> None:
        if reason.is_failure:
            _log.warning("%s: refused: %s", self._address[0], reason)
            return
        self.connected = True
        for topic, qos in FILTERS:
            self._client.subscribe(topic, qos)
        self._call(self.on_state)

    def _disconnect(self, *_: object) -> None:
        self.connected = False
        self._call(self.on_state)

    def _message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            if len(self._waiting) >= _WAITING_MAX or len(message.payload) > _PAYLOAD_MAX:
                self.dropped += 1
                return
            self._waiting.append((message.topic, message.payload))
            if self._is_called:
                return
            self._is_called = True
        self._call(self._hand_out)

    def _hand_out(self) -> None:
        """In the event loop: some, and the rest in its next turn."""
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(_TURN, len(self._waiting)))]
            self._is_called = bool(self._waiting)
        for topic, payload in taken:
            try:
                self._on_message(topic, payload)
            except Exception:  # what one message does to us is no reason to lose the others
                _log.exception("a message on %s", topic)
        if self._is_called:
            self._loop.call_soon(self._hand_out)

    def _call(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function)


def signed_path(endpoint: str, credentials: Any, region: str) -> str:
    """The path of AWS IoT's WebSocket, signed by botocore (AWS: "Device communication protocols").

    A session token stands behind what is signed: this service wants it so.
    """
    from botocore.auth import SigV4QueryAuth  # noqa: PLC0415 - for AWS alone
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import ReadOnlyCredentials  # noqa: PLC0415

    bare = ReadOnlyCredentials(credentials.access_key, credentials.secret_key, None)
    request = AWSRequest("GET", f"https://{endpoint}/mqtt")
    SigV4QueryAuth(bare, "iotdevicegateway", region, expires=300).add_auth(request)
    parts = urlsplit(request.url)
    token = f"&X-Amz-Security-Token={quote(credentials.token, safe='')}" if credentials.token else ""
    return f"{parts.path}?{parts.query}{token}"


def _client(transport: Literal["tcp", "websockets"]) -> mqtt.Client:
    return mqtt.Client(CallbackAPIVersion.VERSION2, client_id=new_page_id(), transport=transport)
