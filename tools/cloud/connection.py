"""The wire: one TLS connection as packets in, packets out, deadlines and bounded buffers."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from . import packet as mqtt
from .limits import Limits, TokenBucket

API_INITIATED_DISCONNECT = "API_INITIATED_DISCONNECT"
AUTH_ERROR = "AUTH_ERROR"
CLIENT_ERROR = "CLIENT_ERROR"
CLIENT_INITIATED_DISCONNECT = "CLIENT_INITIATED_DISCONNECT"
CONNECTION_LOST = "CONNECTION_LOST"
DUPLICATE_CLIENTID = "DUPLICATE_CLIENTID"
FORBIDDEN_ACCESS = "FORBIDDEN_ACCESS"
MQTT_KEEP_ALIVE_TIMEOUT = "MQTT_KEEP_ALIVE_TIMEOUT"
SERVER_ERROR = "SERVER_ERROR"
SERVER_INITIATED_DISCONNECT = "SERVER_INITIATED_DISCONNECT"
THROTTLED = "THROTTLED"


class Handler(Protocol):
    """What a connection reports to."""

    def opened(self, connection: "Connection") -> None:
        """The TLS handshake is done."""

    def received(self, packet: mqtt.Packet) -> None:
        """A packet came."""

    def drained(self) -> None:
        """The connection takes more again."""

    def closed(self, reason: str, detail: str) -> None:
        """The connection ends, told once; `reason` is AWS's disconnectReason."""


class Connection(asyncio.Protocol):
    """Called by asyncio; calls its handler. It never waits: whatever takes too long or too much is closed.

    Args:
        handler: gets the packets and the end.
        limits: deadlines, buffers and the throughput per second.
    """

    def __init__(self, handler: Handler, limits: Limits) -> None:
        self.writable = True
        self.lost = asyncio.Event()
        self._handler = handler
        self._limits = limits
        self._decoder = mqtt.Decoder(limits.packet_bytes, limits.highest_qos)
        self._closed = False
        self._keep_alive_s = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._last_received = self._loop.time()
        self._bytes = TokenBucket(self._limits.bytes_per_s, self._last_received)
        transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        detail = f"no CONNECT within {self._limits.connect_s:g} s"
        self._after("connect", self._limits.connect_s, self.close, CLIENT_ERROR, detail)
        self._handler.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        delay_s = self._bytes.borrow(len(data), self._loop.time())
        if delay_s:
            self._transport.pause_reading()
            self._after("throughput", delay_s, self._resume_reading)
        self._decode(data)

    def _decode(self, data: bytes = b"") -> None:
        """Handle a few packets; if there may be more, go on after the other connections had their turn."""
        self._cancel("decode")
        try:
            for count, packet in enumerate(self._decoder.feed(data), start=1):
                self._last_received = self._loop.time()
                self._handler.received(packet)
                if self._closed:
                    return
                if count == self._limits.packets_per_turn:
                    self._transport.pause_reading()
                    self._after("decode", 0, self._decode)
                    return
            self._resume_reading("decode")
        except mqtt.UnacceptableProtocol as error:
            self.close(CLIENT_ERROR, str(error), error.answer)
        except mqtt.ProtocolError as error:
            self.close(CLIENT_ERROR, str(error))

    def _resume_reading(self, after: str = "throughput") -> None:
        self._cancel(after)
        if not self._timers.keys() & {"throughput", "decode"}:
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        self.writable = False
        if self._closed:
            return
        detail = f"reads too slowly, its buffer was full for {self._limits.write_stall_s:g} s"
        self._after("stall", self._limits.write_stall_s, self.close, CONNECTION_LOST, detail)

    def resume_writing(self) -> None:
        self.writable = True
        self._cancel("stall")
        if not self._closed:
            self._handler.drained()

    def connection_lost(self, error: Exception | None) -> None:
        detail = str(error) if error else "peer closed the connection"
        if self._decoder.pending:
            detail += f" in the middle of a packet ({self._decoder.pending} bytes of it came)"
        self.close(CONNECTION_LOST, detail)
        self.lost.set()

    # For the handler

    def established(self, keep_alive_s: float) -> None:
        """CONNECT was accepted: from now on the next packet must come within 1.5 keep-alives (3.1.2.10)."""
        self._cancel("connect")
        self._keep_alive_s = keep_alive_s
        self._check_keep_alive()

    def peer_certificate(self) -> bytes:
        """The certificate (DER) of the TLS connection, b"" where none was asked for or shown."""
        return self._transport.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""

    def server_name(self) -> str:
        """The name that the client asked for (SNI), "" for none."""
        return getattr(self._transport.get_extra_info("ssl_object"), "server_name", "")

    def local_address(self) -> tuple[str, int]:
        """This end of the connection: address and port."""
        return (self._transport.get_extra_info("sockname") or ("", 0))[:2]

    def send(self, data: bytes) -> None:
        """Write a packet; a peer that lets the buffer grow to its limit is disconnected."""
        if self._closed:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > self._limits.write_buffer_limit_bytes:
            self.close(
                CONNECTION_LOST,
                f"{self._limits.write_buffer_limit_bytes} bytes wait for a peer that reads none",
            )
            self._transport.abort()

    def close(self, reason: str, detail: str, last: bytes = b"") -> None:
        """End the connection, after sending `last`; only the first call counts."""
        if self._closed:
            return
        self._closed = True
        for name in list(self._timers):
            self._cancel(name)
        if last:
            self._transport.write(last)
        self._transport.close()
        self._handler.closed(reason, detail)

    def abort(self) -> None:
        """End it without waiting for the peer."""
        self._transport.abort()

    def _check_keep_alive(self) -> None:
        allowed_s = self._keep_alive_s * self._limits.keep_alive_factor
        rest_s = self._last_received + allowed_s - self._loop.time()
        if rest_s <= 0:
            self.close(MQTT_KEEP_ALIVE_TIMEOUT, f"nothing came for {allowed_s:g} s")
        else:
            self._after("keep-alive", rest_s, self._check_keep_alive)

    def _after(self, name: str, delay_s: float, call: Callable[..., None], *arguments: str) -> None:
        self._cancel(name)
        self._timers[name] = self._loop.call_later(delay_s, call, *arguments)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
