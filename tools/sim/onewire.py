"""A 1-Wire bus with DS18B20 thermometers, slot by slot: the master's bit and all probes', joined by and."""

from collections.abc import Callable, Generator, Iterable

_SEARCH, _READ_ROM, _MATCH, _SKIP = 0xF0, 0x33, 0x55, 0xCC
_CONVERT, _READ_SCRATCH, _WRITE_SCRATCH = 0x44, 0xBE, 0x4E
_POWER_ON = bytes((0x50, 0x05, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10))  # 85 degrees, until it has converted once

Slots = Generator[int, int, None]


class Probe:
    """A thermometer. serial: family and number in hex, with or without the checksum; read: its reading."""

    def __init__(self, serial: str, read: Callable[[], float]) -> None:
        number = bytes.fromhex(serial)[:7]
        self.rom = number + bytes([crc8(number)])
        self._read = read
        self._scratch = bytearray(_POWER_ON)

    def convert(self) -> None:
        """Measure, as exactly as its configuration says."""
        unused = 3 - (self._scratch[4] >> 5 & 3)  # of 4 binary places
        steps = round(self._read() * 16) >> unused << unused
        self._scratch[:2] = (steps & 0xFFFF).to_bytes(2, "little")

    def configure(self, data: bytes) -> None:
        """Take alarm limits and resolution."""
        self._scratch[2:5] = data

    def scratch(self) -> bytes:
        """What it tells: nine bytes, the last a checksum."""
        return bytes(self._scratch) + bytes([crc8(self._scratch)])


class OneWire:
    """The bus."""

    def __init__(self) -> None:
        self.probes: list[Probe] = []
        self._slots: Slots | None = None
        self._out = 1

    def reset(self) -> bool:
        """A reset pulse; whether somebody answers."""
        self._slots = self._talk()
        self._out = next(self._slots)
        return bool(self.probes)

    def slot(self, bit: int) -> int:
        """One slot in which the master gives `bit`, 1 to read; the bus's level."""
        level = bit & self._out
        if self._slots:
            self._out = self._slots.send(level)
        return level

    def _talk(self) -> Slots:
        """What all probes do after a reset; yields what they give in a slot, gets the bus's level."""
        selected = yield from self._address()
        while True:
            command = yield from _byte()
            if command == _CONVERT:
                for probe in selected:
                    probe.convert()
                break
            if command == _READ_SCRATCH:
                yield from _tell([probe.scratch() for probe in selected])
            elif command == _WRITE_SCRATCH:
                data = bytearray()
                for _ in range(3):
                    data.append((yield from _byte()))
                for probe in selected:
                    probe.configure(bytes(data))
        while True:
            yield 1  # it has converted

    def _address(self) -> Generator[int, int, list[Probe]]:
        command = yield from _byte()
        selected = self.probes if command in (_SEARCH, _READ_ROM, _MATCH, _SKIP) else []
        if command == _READ_ROM:
            yield from _tell([probe.rom for probe in selected])
        elif command in (_SEARCH, _MATCH):
            for place in range(64):
                bits = [_bit(probe.rom, place) for probe in selected]
                if command == _SEARCH:
                    yield int(all(bits))
                    yield int(not any(bits))
                chosen = yield 1
                selected = [probe for probe, bit in zip(selected, bits, strict=True) if bit == chosen]
        return selected


def crc8(data: Iterable[int]) -> int:
    """The checksum of 1-Wire."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def _bit(data: bytes, place: int) -> int:
    return data[place // 8] >> place % 8 & 1


def _byte() -> Generator[int, int, int]:
    value = 0
    for place in range(8):
        value |= (yield 1) << place
    return value


def _tell(datas: list[bytes]) -> Slots:
    for place in range(8 * len(datas[0]) if datas else 0):
        yield int(all(_bit(data, place) for data in datas))
