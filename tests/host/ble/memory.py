"""The device's own modules and a Client's transport in one process: all of the device but aioble."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from iot.ble.codes import NAMES
from iot.ble.conversation import Conversation, Ended
from iot.ble.door import Door
from iot.ble.frames import split
from iot.ble.packets import Packets
from iot.ble.requests import DATA, Requests, packet
from iot.ble.session import Session
from iot.ble.setup import Setup
from iot.log import Log

from tests.host import certificates as make
from tools.ble.errors import LinkLost
from tools.ble.protocol import CHANNELS

CODE = "ABCDEFGHJKMN"
NETWORKS = [
    {"ssid": "Home", "rssi": -50, "security": "wpa2"},
    {"ssid": "Café", "rssi": -70, "security": "open"},
]
NUMBERS = {uuid: number for number, uuid in CHANNELS.items()}


def large() -> dict[str, Any]:
    """A configuration of 6 KB, as with a real root certificate, claim and key."""
    aws = {
        "endpoint": "broker.example.com",
        "template": "Fleet_1",
        "root_ca": "".join(make.pem(make.certificate("2048", f"Root {number}")) for number in range(4)),
        "claim_certificate": make.pem(make.certificate("2048")),
        "claim_key": make.key_pem("2048"),
    }
    return {"wifi": [{"ssid": "Home", "password": "correct horse"}, {"ssid": "Café"}], "aws": aws}


class Retained:
    """What the chip keeps until its power is cut."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def get(self, name: str) -> int:
        return self.numbers.get(name, 0)

    def set(self, name: str, number: int) -> None:
        self.numbers[name] = number


class Board:
    """A device in mode CONFIG, as an async context manager; `results`: what joining a network gives."""

    def __init__(self) -> None:
        log = Log(write=lambda line: None)
        self.results = {"Home": "SUCCESS"}
        self.saved: list[dict[str, Any]] = []
        self.restarted = False
        self.used = False  # an event loop has had it, and no other may
        kept = Retained()
        self.door = Door(lambda: kept)
        self.packets = Packets(log)
        self.packets.proven = lambda: self.conversation is not None and self.conversation.proven
        facts = {"mode": "CONFIG", "id": "esp32-240ac4000001", "version": "0.1.0"}
        self.conversation: Conversation | None = None
        self.setup = Setup(facts, self._send, self._scan, self._join, self.saved.append, self._done, log)
        self.requests = Requests(self.setup, self.packets)

    async def __aenter__(self) -> "Board":
        self.used = True
        self._tasks = [asyncio.create_task(self.setup.run()), asyncio.create_task(self._send_packets())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _scan(self) -> list[dict[str, Any]]:
        await asyncio.sleep(0.01)
        return NETWORKS

    async def _join(self, network: dict[str, Any]) -> tuple[int, str]:
        await asyncio.sleep(0.01)
        result = self.results.get(network["ssid"], "WRONG_SSID")
        return NAMES.index(result), f'network "{network["ssid"]}": in words'

    def _done(self) -> None:
        self.restarted = True

    async def _send(self, channel: int, plaintext: bytes) -> None:
        if self.conversation:
            await self.conversation.send(channel, plaintext)

    async def _send_packets(self) -> None:
        while True:
            name, payload = await self.packets.next()
            await self._send(DATA, packet(name, payload))


class Memory:
    """A Transport to a Board. lose: numbers of the frames, of all written, that the board does not get;
    cut_at: of the one with which the link ends."""

    name = "esp32-240ac4000001"

    def __init__(
        self, board: Board, mtu: int = 247, lose: frozenset[int] = frozenset(), cut_at: int = -1
    ) -> None:
        self.mtu = mtu
        self.written = 0
        self.on_disconnect: Callable[[], None] = lambda: None
        self._board, self._lose, self._cut_at = board, lose, cut_at
        self._callbacks: dict[int, Callable[[bytes], None]] = {}
        self._frames: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        if self._board.door.pause_ms:
            raise LinkLost("nobody advertises")
        self._task = asyncio.create_task(self._serve())

    async def disconnect(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def read(self, uuid: str) -> bytes:
        return b'{"protocol":1,"id":"esp32-240ac4000001","version":"0.1.0"}'

    async def subscribe(self, uuid: str, callback: Callable[[bytes], None]) -> None:
        self._callbacks[NUMBERS[uuid]] = callback

    async def write(self, uuid: str, data: bytes) -> None:
        await asyncio.sleep(0)
        assert len(data) <= self.mtu - 3
        if self.written == self._cut_at:
            await self.disconnect()
        if not self._task or self._task.done():
            raise LinkLost
        if self.written not in self._lose:
            self._frames.put_nowait((NUMBERS[uuid], data))
        self.written += 1

    async def _serve(self) -> None:
        board = self._board
        session = Session(CODE, board.door, os.urandom)
        conversation = Conversation(session, board.requests, self._transmit, lambda: None)
        board.conversation = conversation
        try:
            while True:
                await conversation.frame(*await self._frames.get())
        except Ended:
            pass
        finally:
            board.conversation = None
            board.packets.clear()
            asyncio.get_running_loop().call_soon(self.on_disconnect)

    async def _transmit(self, channel: int, message: bytes) -> None:
        for frame in split(message, self.mtu):
            asyncio.get_running_loop().call_soon(self._callbacks[channel], frame)
            await asyncio.sleep(0)
