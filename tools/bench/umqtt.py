"""umqtt.simple itself, as the package index has it, on CPython."""

import importlib.util
import socket
import ssl
import struct
import sys
import types
from binascii import hexlify
from typing import Any

from tools.umqtt import VERSION, FetchError, source

__all__ = ["VERSION", "FetchError", "client_class", "source"]


class _Socket:
    """A blocking socket that is a stream, as in MicroPython."""

    def __init__(self, plain: socket.socket | None = None) -> None:
        self.plain = plain or socket.socket()

    def connect(self, address: tuple[str, int]) -> None:
        self.plain.connect(address)
        # Each of its publishes is several writes: with Nagle's algorithm it would be slower still.
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (part := self.plain.recv(size - len(data))):
            data += part
        return data

    def write(self, data: bytes, size: int | None = None) -> None:
        self.plain.sendall(data[:size])

    def setblocking(self, blocking: bool) -> None:
        self.plain.setblocking(blocking)

    def close(self) -> None:
        self.plain.close()


def _wrap_socket(stream: _Socket, context: ssl.SSLContext, server_hostname: str) -> _Socket:
    return _Socket(context.wrap_socket(stream.plain, server_hostname=server_hostname))


def client_class() -> Any:
    """Its class MQTTClient. `ssl_params` takes `context` and `server_hostname`. Raises FetchError."""
    shims: dict[str, dict[str, Any]] = {
        "usocket": {"socket": _Socket, "getaddrinfo": socket.getaddrinfo},
        "ussl": {"wrap_socket": _wrap_socket},
        "ustruct": {"pack": struct.pack, "pack_into": struct.pack_into},
        "ubinascii": {"hexlify": hexlify},
    }
    for name, contents in shims.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(contents)
    spec = importlib.util.spec_from_file_location("umqtt_simple", source())
    if spec is None or spec.loader is None:
        raise FetchError("umqtt.simple cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MQTTClient
