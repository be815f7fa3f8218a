"""The feed: AWS's signed WebSocket, connections that end, and more messages than anybody can take."""

import asyncio
import datetime as dt
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest
from aiohttp import WSMsgType, web
from paho.mqtt.client import MQTTMessage

from tests.patience import PATIENCE_S
from tools.board.errors import BoardError
from tools.cloud.ca import Authority
from tools.dashboard import feed
from tools.dashboard.feed import Feed
from tools.dashboard.messages import FILTERS

REGION = "eu-central-1"


@dataclass(frozen=True)
class Credentials:
    """As botocore's frozen ones."""

    access_key: str
    secret_key: str
    token: str | None


def signature(path_qs: str, host: str, secret: str) -> str:
    """Signature Version 4 of that GET, by the words of AWS's guide; without the token behind it."""
    left_out = ("X-Amz-Signature", "X-Amz-Security-Token")
    pairs = [pair for pair in parse_qsl(path_qs.partition("?")[2]) if pair[0] not in left_out]
    given = dict(pairs)
    query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(pairs))
    canonical = f"GET\n/mqtt\n{query}\nhost:{host}\n\nhost\n{hashlib.sha256(b'').hexdigest()}"
    scope = given["X-Amz-Credential"].partition("/")[2]
    day, region, service, end = scope.split("/")
    assert (region, service, end) == (REGION, "iotdevicegateway", "aws4_request")
    text = (
        f"AWS4-HMAC-SHA256\n{given['X-Amz-Date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    )
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, end, text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


class Gateway:
    """AWS IoT's WebSocket, as far as a feed needs it: it sends each connection a message, and ends it."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.filters: list[str] = []
        self.stay = False
        application = web.Application()
        application.router.add_get("/mqtt", self._talk)
        self.runner = web.AppRunner(application, shutdown_timeout=0)

    async def start(self, context: ssl.SSLContext) -> int:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=context).start()
        port: int = self.runner.addresses[0][1]
        return port

    async def _talk(self, request: web.Request) -> web.StreamResponse:
        self.urls.append(request.raw_path)
        socket = web.WebSocketResponse(protocols=("mqtt",))
        await socket.prepare(request)
        async for message in socket:
            assert message.type is WSMsgType.BINARY
            data = message.data
            if data[0] == 0x10:
                await socket.send_bytes(b"\x20\x02\0\0")
            elif data[0] == 0x82:
                self.filters.append(data[6:-1].decode())
                await socket.send_bytes(b"\x90\x03" + data[2:4] + b"\1")
                if len(self.filters) % len(FILTERS) == 0:
                    topic = b"telemetry/lamp"
                    body = len(topic).to_bytes(2, "big") + topic + b'{"x": %d}' % len(self.urls)
                    await socket.send_bytes(b"\x30" + bytes([len(body)]) + body)
                    if not self.stay:
                        await socket.close()
        return socket


@pytest.fixture
async def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Gateway, str]]:
    authority = Authority(tmp_path, "p256")
    context = authority.server_context(("localhost",))
    context.verify_mode = ssl.CERT_NONE  # AWS asks nobody for a certificate there
    (tmp_path / "root.pem").write_text(authority.root_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    made = Gateway()
    port = await made.start(context)
    yield made, f"localhost:{port}"
    await made.runner.cleanup()


async def test_each_connection_to_aws_has_a_url_that_is_signed_anew(
    gateway: tuple[Gateway, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, endpoint = gateway
    monkeypatch.setattr(feed, "_RETRY_S", (1, 1))
    missing = [BoardError("no credentials", "Sign in.")]  # which a person may put right
    given = iter(
        [Credentials("AKIDONE", "secret one", None)] + [Credentials("AKIDTWO", "secret/two", "to+ken=")] * 9
    )
    messages: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    def take(topic: str, payload: bytes) -> None:
        messages.put_nowait((topic, payload))
        made.stay = True

    def credentials() -> Credentials:
        if missing:
            raise missing.pop()
        return next(given)

    async with Feed.aws(endpoint, credentials, REGION, take) as one, asyncio.timeout(PATIENCE_S):
        for number in (1, 2):
            assert await messages.get() == ("telemetry/lamp", b'{"x": %d}' % number)
        assert one.connected
    assert sorted(set(made.filters)) == sorted(topic for topic, _ in FILTERS)
    first, second = (dict(parse_qsl(url.partition("?")[2])) for url in made.urls[:2])
    assert first["X-Amz-Signature"] == signature(made.urls[0], endpoint, "secret one")
    assert second["X-Amz-Signature"] == signature(made.urls[1], endpoint, "secret/two")
    assert "X-Amz-Security-Token" not in first and second["X-Amz-Security-Token"] == "to+ken="
    assert made.urls[1].rpartition("&")[2].startswith("X-Amz-Security-Token=")
    at = dt.datetime.strptime(second["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    assert abs((dt.datetime.now(dt.UTC) - at).total_seconds()) < PATIENCE_S
    assert "secret" not in "".join(made.urls)


async def test_more_messages_than_anybody_can_take_are_counted_and_the_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "_WAITING_MAX", 1000)
    taken: list[str] = []

    def take(topic: str, payload: bytes) -> None:
        taken.append(topic)
        if len(taken) == 500:
            raise ValueError("what one message does is no reason to lose the others")

    one = Feed(feed._client("tcp"), ("localhost", 1), take)
    async with one:

        def flood() -> None:
            for number in range(5000):
                message = MQTTMessage(topic=b"t/%d" % number)
                message.payload = b"x"
                one._message(None, None, message)

        flood()
        big = MQTTMessage(topic=b"big")
        big.payload = bytes(200_000)
        assert len(one._waiting) == 1000 and one.dropped == 4000
        turns = 0
        while len(taken) < 1000:
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 5, "all in one turn: nobody else had the loop"
        one._message(None, None, big)
        assert one.dropped == 4001 and taken == [f"t/{number}" for number in range(1000)]
        await asyncio.to_thread(flood)
        async with asyncio.timeout(PATIENCE_S):
            while len(taken) < 1500:
                await asyncio.sleep(0.01)
