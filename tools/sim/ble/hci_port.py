"""Controllers on the simulated air for other programs: HCI over TCP (H4), a new one for each client."""

import asyncio
import contextlib

from bumble.core import InvalidPacketError
from bumble.transport.common import PacketParser

from tools.sim.ble.air import BleAir
from tools.sim.ble.radio import Radio

_CLIENTS_MAX = 16
_WAITING_MAX = 1 << 20  # bytes that a client does not read: then it is gone


class HciPort:
    """Listens on 127.0.0.1 within its context; `port` is the one it has. What a client says is HCI.

    bumble calls such a transport `tcp-client:127.0.0.1:PORT`. A client that leaves takes its controller away.
    """

    def __init__(self, air: BleAir, port: int = 0) -> None:
        self.port = port
        self._air = air
        self._made = 0
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "HciPort":
        self._server = await asyncio.start_server(self._called, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) == _CLIENTS_MAX:
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._made = self._made % 0xFFFF + 1
        address = "02:00:00:00:{:02x}:{:02x}".format(*divmod(self._made, 256))
        radio = Radio(f"client {self._made}", self._air, address)
        radio.set_packet_sink(_ToClient(writer))
        parser = PacketParser(radio)
        try:
            with contextlib.suppress(ConnectionError, InvalidPacketError):
                while data := await reader.read(4096):
                    parser.feed_data(data)
        finally:
            radio.off()
            writer.close()


class _ToClient:
    """Where a controller's events go."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def on_packet(self, packet: bytes) -> None:
        transport = self._writer.transport
        if transport.get_write_buffer_size() > _WAITING_MAX:
            transport.abort()
        elif not transport.is_closing():
            transport.write(packet)
