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
    """What time servers do: `mode`, how far their clock is off and how late they answer, in seconds.

    mode: "garbage" is no NTP, "zero" an answer without a time, "kiss" a wish not to be asked again.
    """

    mode: Literal["answers", "silent", "garbage", "zero", "kiss"] = "answers"
    offset_s: float = 0
    late_s: float = 0
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
        elif self._behaviour.mode != "silent" and len(data) >= 48:
            answer = self._answer(data)
            self._station.clock.call_later(self._behaviour.late_s, self._send, answer, addr)

    def _send(self, answer: bytes, addr: tuple[str, int]) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(answer, addr)

    def _answer(self, request: bytes) -> bytes:
        now = _timestamp(time.time() + self._station.clock.ahead_s + self._behaviour.offset_s)
        version = request[0] & 0x38
        stratum, name = (0, b"RATE") if self._behaviour.mode == "kiss" else (2, b"SIM\0")
        head = struct.pack(">BBbbII4s", version | 4, stratum, 6, -20, 0, 0, name)  # mode 4 (server)
        sent = bytes(8) if self._behaviour.mode == "zero" else now
        return head + now + request[40:48] + now + sent


def _timestamp(unix_s: float) -> bytes:
    fraction = unix_s % 1
    return struct.pack(">II", (int(unix_s) + _SECONDS_1900_TO_1970) & 0xFFFF_FFFF, int(fraction * 2**32))
