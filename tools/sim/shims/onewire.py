"""`onewire`, which is frozen into the chip's image: finds and addresses the devices of a 1-Wire bus."""

import _onewire


class OneWireError(Exception):
    """Nobody answered a reset."""


class OneWire:
    """A bus on a pin."""

    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    def __init__(self, pin):
        self.pin = pin
        pin.init(pin.OPEN_DRAIN, pin.PULL_UP)

    def reset(self, required=False):
        """A reset pulse; whether anybody answers."""
        present = _onewire.reset(self.pin)
        if required and not present:
            raise OneWireError
        return present

    def readbit(self):
        return _onewire.readbit(self.pin)

    def readbyte(self):
        return _onewire.readbyte(self.pin)

    def readinto(self, buf):
        for place in range(len(buf)):
            buf[place] = self.readbyte()

    def writebit(self, value):
        _onewire.writebit(self.pin, value)

    def writebyte(self, value):
        _onewire.writebyte(self.pin, value)

    def write(self, buf):
        for byte in buf:
            self.writebyte(byte)

    def select_rom(self, rom):
        """Speak to one device alone."""
        self.reset()
        self.writebyte(self.MATCH_ROM)
        self.write(rom)

    def scan(self):
        """The numbers of all devices, 8 bytes each: the branches of a tree, one after the other."""
        found = []
        branches = [0]  # numbers to go by, each as far as the bits that are fixed in it
        fixed = [0]
        while branches:
            number, sure = branches.pop(), fixed.pop()
            rom, forks = self._walk(number, sure)
            if rom is not None:
                found.append(rom)
                for place in forks:
                    branches.append(_number(rom) & (1 << place) - 1 | 1 << place)
                    fixed.append(place + 1)
        return found

    def _walk(self, number, sure):
        """One search: the device that is found, and where another could have been; None for nobody."""
        if not self.reset():
            return None, ()
        self.writebyte(self.SEARCH_ROM)
        rom, forks = bytearray(8), []
        for place in range(64):
            bit, complement = self.readbit(), self.readbit()
            if bit and complement:
                return None, ()
            if bit == complement:  # some have 0 here, some 1
                bit = number >> place & 1
                if place >= sure:
                    forks.append(place)
            rom[place // 8] |= bit << place % 8
            self.writebit(bit)
        return rom, forks

    def crc8(self, data):
        return _onewire.crc8(data)


def _number(rom):
    return int.from_bytes(rom, "little")
