"""The end of the TLS port, whoever comes at that moment."""

import asyncio
import socket
import ssl

from tools.cloud.limits import Limits
from tools.cloud.port import Port


async def test_one_who_comes_as_it_stops_breaks_nothing() -> None:
    def handler(address: str) -> None:
        raise AssertionError(address)

    port = Port(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), Limits(), handler, lambda event: None)  # type: ignore[arg-type]
    number = await port.start("127.0.0.1", 0)
    await asyncio.sleep(0)  # it waits
    with socket.create_connection(("127.0.0.1", number)):
        await asyncio.sleep(0)  # the loop is about to accept it
        await port.stop()
