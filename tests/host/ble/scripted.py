"""A device that does as a test says, for what no right device does; frames and all, in memory."""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

from tests.host.ble.model import Half
from tools.ble.errors import LinkLost
from tools.ble.protocol import AUTH, CHANNELS, DATA

NUMBERS = {uuid: number for number, uuid in CHANNELS.items()}
ABOUT = {"protocol": 1, "id": "esp32-240ac4000001", "version": "0.1.0"}
Answer = tuple[int, bytes]  # a channel, and what is sealed and sent on it
Script = Callable[[int, bytes], Iterable[Answer]]


def answer(channel: int, op: int | None, code: int = 0, **members: Any) -> Answer:
    members |= {"code": code} | ({} if op is None else {"op": op})
    return channel, json.dumps(members).encode()


def ordinary(channel: int, request: bytes) -> Iterable[Answer]:
    """What a device without surprises answers."""
    if channel == DATA:
        yield DATA, b"\0" + json.dumps({"code": 0, "name": "SUCCESS"}).encode()
    else:
        yield answer(channel, request[0], at=0, mode="CONFIG")


class Scripted:
    """A Transport and the device at its other end.

    script: what is answered to a request. auth: called with each message on AUTH, returns what is sent back.
    """

    name = "esp32-240ac4000001"

    def __init__(self, script: Script = ordinary, *, mtu: int = 247) -> None:
        self.half = Half()
        self.mtu = mtu
        self.script = script
        self.about: bytes = json.dumps(ABOUT).encode()
        self.requests: list[tuple[int, bytes]] = []
        self.frames: list[tuple[int, bytes]] = []
        self.auth: Callable[[bytes], Iterable[bytes]] = self.authenticate
        self.connected = False
        self.on_disconnect: Callable[[], None] = lambda: None
        self._callbacks: dict[int, Callable[[bytes], None]] = {}
        self._message: list[bytes] | None = None

    async def connect(self) -> None:
        self.connected = True

    async def disconnect(self) -> None:
        self.connected = False

    async def read(self, uuid: str) -> bytes:
        return self.about if NUMBERS[uuid] == AUTH else b""

    async def subscribe(self, uuid: str, callback: Callable[[bytes], None]) -> None:
        assert not self.frames, "subscribed after a write"
        self._callbacks[NUMBERS[uuid]] = callback

    async def write(self, uuid: str, data: bytes) -> None:
        await asyncio.sleep(0)
        if not self.connected:
            raise LinkLost
        assert len(self._callbacks) == 4 and 2 <= len(data) <= self.mtu - 3
        self.frames.append((NUMBERS[uuid], bytes(data)))
        self.take(NUMBERS[uuid], bytes(data))

    def take(self, channel: int, frame: bytes) -> None:
        if frame[0] & 0x80:
            self._message = []
        if self._message is None or frame[0] & 0x3F != len(self._message) % 64:
            self._message = None
        else:
            self._message.append(frame[1:])
        if not frame[0] & 0x40:
            return
        message, self._message = self._message, None
        if message is not None:
            self.on_message(channel, b"".join(message))
        elif channel == AUTH:
            self.notify(AUTH, b"\xff\x09")
        else:
            self.say(*answer(channel, None, 9))

    def on_message(self, channel: int, message: bytes) -> None:
        if channel == AUTH:
            for reply in self.auth(message):
                self.notify(AUTH, reply)
            return
        try:
            request = self.half.open(channel, message)
        except ValueError:
            self.notify(AUTH, b"\xff\x03")
            self.hang_up()
            return
        self.requests.append((channel, request))
        for reply_channel, reply in self.script(channel, request):
            self.say(reply_channel, reply)

    def authenticate(self, message: bytes) -> Iterable[bytes]:
        if message[0] == 1:
            return [self.half.on_hello(message)]
        return [self.half.on_proof(message) or b"\xff\x03"]

    def say(self, channel: int, plaintext: bytes) -> None:
        """Seal and send."""
        self.notify(channel, self.half.seal(channel, plaintext))

    def notify(self, channel: int, message: bytes) -> None:
        size = self.mtu - 4
        pieces = [message[start : start + size] for start in range(0, len(message), size)]
        for number, piece in enumerate(pieces):
            header = number % 64 | (number == 0) << 7 | (number == len(pieces) - 1) << 6
            self.notify_frame(channel, bytes([header]) + piece)

    def notify_frame(self, channel: int, frame: bytes) -> None:
        asyncio.get_running_loop().call_soon(self._callbacks[channel], frame)

    def hang_up(self) -> None:
        def gone() -> None:
            self.connected = False
            self.on_disconnect()

        asyncio.get_running_loop().call_soon(gone)
