"""The values of one chip's GATT server, buffered as in MicroPython (extmod/modbluetooth.c)."""

import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from bumble import att, gatt
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt_server import Server

DEFAULT_BYTES = 20
_READ, _WRITE = 0x02, 0x0C  # of a characteristic's flags; _WRITE: with or without response
_PROPERTIES = 0xFF
_PERMISSIONS = {
    0x0200: att.Attribute.READ_REQUIRES_ENCRYPTION,
    0x0400: att.Attribute.READ_REQUIRES_AUTHENTICATION,
    0x1000: att.Attribute.WRITE_REQUIRES_ENCRYPTION,
    0x2000: att.Attribute.WRITE_REQUIRES_AUTHENTICATION,
}


@dataclasses.dataclass
class Value:
    """What a characteristic or a descriptor holds: remote writes are cut to `room`, local ones make room."""

    flags: int
    handle: int = 0
    data: bytes = b""
    room: int = DEFAULT_BYTES
    append: bool = False

    def read(self) -> bytes:
        """Read locally, which empties a value that is appended to."""
        data = self.data
        if self.append:
            self.data = b""
        return data

    def write(self, data: bytes) -> None:
        """Write locally."""
        self.data = data
        self.room = max(self.room, len(data))

    def write_remotely(self, data: bytes) -> None:
        """Write from the other side: what does not fit is lost in silence."""
        self.data = ((self.data if self.append else b"") + data)[: self.room]

    def resize(self, room: int, append: bool) -> None:
        """Set the size of the buffer, which empties it."""
        self.room, self.append, self.data = room, append, b""


class Database:
    """The values by handle.

    on_read and on_write are awaited for each access from the other side; on_read gives an ATT error or 0,
    on_write stores.
    """

    def __init__(
        self,
        on_read: Callable[[Connection, Value], Awaitable[int]],
        on_write: Callable[[Connection, Value, bytes], Awaitable[None]],
    ) -> None:
        self.values: dict[int, Value] = {}
        self.attributes: dict[int, att.Attribute] = {}
        self._on_read = on_read
        self._on_write = on_write

    def register(self, server: Server, services: Iterable[Any]) -> list[list[int]]:
        """Replace all by services as `gatts_register_services` gets them, UUIDs in hex; gives handles."""
        self.values.clear()
        self.attributes.clear()
        handles = []
        for uuid, characteristics in services:
            made: list[tuple[att.Attribute, Value]] = []
            service = [self._characteristic(made, *row) for row in characteristics]
            server.add_service(gatt.Service(_uuid(uuid), service))
            for attribute, value in made:
                value.handle = attribute.handle
                self.values[value.handle] = value
                self.attributes[value.handle] = attribute
            handles.append([value.handle for _, value in made])
        return handles

    def _characteristic(
        self, made: list[tuple[att.Attribute, Value]], uuid: str, flags: int, descriptors: Iterable[Any] = ()
    ) -> gatt.Characteristic:
        value = Value(flags)
        below = []
        inner: list[tuple[att.Attribute, Value]] = []
        for descriptor_uuid, descriptor_flags in descriptors:
            inner_value = Value(descriptor_flags)
            descriptor = gatt.Descriptor(_uuid(descriptor_uuid), _permissions(0), self._access(inner_value))
            below.append(descriptor)
            inner.append((descriptor, inner_value))
        properties = gatt.Characteristic.Properties(flags & _PROPERTIES)
        characteristic: gatt.Characteristic = gatt.Characteristic(
            _uuid(uuid), properties, _permissions(flags), self._access(value), below
        )
        made += [(characteristic, value), *inner]
        return characteristic

    def _access(self, value: Value) -> att.AttributeValue:
        async def read(connection: Connection) -> bytes:
            if not value.flags & _READ:
                raise att.ATT_Error(att.ATT_READ_NOT_PERMITTED_ERROR)
            if status := await self._on_read(connection, value):
                raise att.ATT_Error(att.ErrorCode(status))
            return value.data

        async def write(connection: Connection, data: bytes) -> None:
            if not value.flags & _WRITE:
                raise att.ATT_Error(att.ATT_WRITE_NOT_PERMITTED_ERROR)
            await self._on_write(connection, value, data)

        return att.AttributeValue(read, write)


def _uuid(text: str) -> UUID:
    return UUID.from_bytes(bytes.fromhex(text))


def _permissions(flags: int) -> att.Attribute.Permissions:
    permissions = att.Attribute.READABLE | att.Attribute.WRITEABLE  # the values' flags say what is allowed
    for flag, permission in _PERMISSIONS.items():
        if flags & flag:
            permissions |= permission
    return permissions
