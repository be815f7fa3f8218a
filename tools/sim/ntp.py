"""An SNTP server (RFC 4330) that can be late by years, silent, or talk nonsense."""

import asyncio
import dataclasses
import struct
import time
from typing import Literal

from tools.sim.radio import Station

_SECONDS_1900_TO_1970 = 2_208_988_800


@dataclasses.dataclass
class NtpBehaviour:
    """What every time server of the world does: `mode`, and how far its clock is off in seconds."""

    mode: Literal["answers", "silent", "garbage"] = "answers"
    offset_s: float = 0
    requests: int = 0


class NtpServer(asyncio.DatagramProtocol):
    """One chip's way to the time servers, a UDP port of the loopback interface."""

    def __init__(self, behaviour: NtpBehaviour, station: Station) -> None:
        self._behaviour = behaviour
        self._station = station

    async def start(self) -> int:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self._transport.get_extra_info("sockname")[1]

    async def stop(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._station.up.is_set():
            return
        self._behaviour.requests += 1
        if self._behaviour.mode == "garbage":
            self._transport.sendto(b"\xff" * 11, addr)
        elif self._behaviour.mode == "answers" and len(data) >= 48:
            self._transport.sendto(self._answer(data), addr)

    def _answer(self, request: bytes) -> bytes:
        now = _timestamp(time.time() + self._behaviour.offset_s)
        version = request[0] & 0x38
        head = struct.pack(">BBbbII4s", version | 4, 2, 6, -20, 0, 0, b"SIM\0")  # mode 4 (server), stratum 2
        return head + now + request[40:48] + now + now


def _timestamp(unix_s: float) -> bytes:
    fraction = unix_s % 1
    return struct.pack(">II", (int(unix_s) + _SECONDS_1900_TO_1970) & 0xFFFF_FFFF, int(fraction * 2**32))
