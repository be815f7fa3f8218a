"""`_onewire` of the simulated chip: the slots of a 1-Wire bus, whose devices are in the world."""

import _world
from machine import _pin_id


def reset(pin):
    """A reset pulse; whether anybody answers."""
    return _world.call("part", "onewire_reset", _pin_id(pin))


def readbit(pin):
    return _world.call("part", "onewire", _pin_id(pin), 1, 1)


def readbyte(pin):
    return _world.call("part", "onewire", _pin_id(pin), 0xFF, 8)


def writebit(pin, value):
    _world.call("part", "onewire", _pin_id(pin), value & 1, 1)


def writebyte(pin, value):
    _world.call("part", "onewire", _pin_id(pin), value & 0xFF, 8)


def crc8(data):
    """The bus's checksum: 0 for data that ends with its own."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc
