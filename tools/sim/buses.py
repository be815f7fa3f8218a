"""I2C and SPI as the devices on them answer: register maps and replies out of the wiring."""

import errno
from collections.abc import Callable

from tools.sim.wiring import Wiring

_NOTHING = 0xFF  # what a bus reads that nobody drives


class BusError(Exception):
    """What a driver refuses; `number` is the errno that the device sees."""

    def __init__(self, number: int) -> None:
        super().__init__(errno.errorcode[number])
        self.number = number


class I2c:
    """All I2C devices, on whichever bus they are asked: registers that can be written, one after another."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._pointers: dict[int, int] = {}
        self._written: dict[int, dict[int, int]] = {}

    def forget(self, address: int | None = None) -> None:
        """Have what was written to one device, or to all, be lost, as with its power."""
        for memory in (self._pointers, self._written):
            memory.clear() if address is None else memory.pop(address, None)

    def addresses(self) -> list[int]:
        """Who would acknowledge, in the order of a scan."""
        return sorted({int(name.partition(".")[0], 16) for name in self._wiring.below("i2c")})

    def write(self, address: int, data: bytes) -> None:
        """A write: the register, then what goes from there on; BusError without such a device."""
        registers = self._registers(address)
        width = max((len(name) // 2 - 1 for name in registers), default=1)
        if len(data) < width:
            return
        pointer = int.from_bytes(data[:width], "big")
        written = self._written.setdefault(address, {})
        for place, byte in enumerate(data[width:], pointer):
            written[place] = byte
        self._pointers[address] = pointer + len(data) - width

    def read(self, address: int, size: int) -> bytes:
        """A read from where the last write or read ended; BusError without such a device."""
        registers = self._registers(address)
        if not registers:
            plain = bytes.fromhex(self._wiring.get(f"i2c.0x{address:02x}"))
            return plain[:size].ljust(size, bytes([_NOTHING]))
        memory: dict[int, int] = {}
        for name, data in registers.items():
            memory.update(enumerate(bytes.fromhex(data), int(name, 16)))
        memory.update(self._written.get(address, {}))
        pointer = self._pointers.get(address, 0)
        self._pointers[address] = pointer + size
        return bytes(memory.get(place, _NOTHING) for place in range(pointer, pointer + size))

    def _registers(self, address: int) -> dict[str, str]:
        if address not in self.addresses():
            raise BusError(errno.ENODEV)
        return self._wiring.below(f"i2c.0x{address:02x}")


class Spi:
    """All SPI devices: the one whose chip select is low answers what follows a command. is_low: of a pin."""

    def __init__(self, wiring: Wiring, is_low: Callable[[int], bool]) -> None:
        self._wiring = wiring
        self._is_low = is_low
        self._heard: dict[int, bytes] = {}  # what came since the chip select fell
        self._replies: dict[int, bytes] = {}

    def select(self, pin: int) -> None:
        """A pin fell: what the device whose chip select it may be hears begins anew."""
        self._heard[pin] = self._replies[pin] = b""

    def transfer(self, data: bytes) -> bytes:
        """As many bytes back as go out."""
        chosen = sorted({int(name.partition(".")[0]) for name in self._wiring.below("spi")})
        for pin in chosen:
            if self._is_low(pin):
                return bytes(self._byte(pin, byte) for byte in data)
        return bytes([_NOTHING]) * len(data)

    def _byte(self, pin: int, byte: int) -> int:
        reply = self._replies.get(pin, b"")
        answer = reply[0] if reply else _NOTHING
        self._replies[pin] = reply[1:]
        if not reply:
            self._heard[pin] = heard = self._heard.get(pin, b"")[-64:] + bytes([byte])
            self._replies[pin] = bytes.fromhex(self._wiring.get(f"spi.{pin}.{heard.hex()}") or "")
        return answer
