"""`ds18x20`, which is frozen into the chip's image: thermometers on a 1-Wire bus."""

_FAMILIES = (0x10, 0x22, 0x28)
_CONVERT = 0x44
_READ_SCRATCH = 0xBE
_WRITE_SCRATCH = 0x4E


class DS18X20:
    """All thermometers of a bus."""

    def __init__(self, onewire):
        self.ow = onewire
        self.buf = bytearray(9)

    def scan(self):
        """Their numbers."""
        return [rom for rom in self.ow.scan() if rom[0] in _FAMILIES]

    def convert_temp(self):
        """Have all of them measure, which takes up to 750 ms."""
        self.ow.reset(True)
        self.ow.writebyte(self.ow.SKIP_ROM)
        self.ow.writebyte(_CONVERT)

    def read_scratch(self, rom):
        self._select(rom, _READ_SCRATCH)
        self.ow.readinto(self.buf)
        if self.ow.crc8(self.buf):
            raise Exception("CRC error")
        return self.buf

    def write_scratch(self, rom, buf):
        self._select(rom, _WRITE_SCRATCH)
        self.ow.write(buf)

    def read_temp(self, rom):
        """Degrees Celsius of the last measurement: 85 where there was none."""
        scratch = self.read_scratch(rom)
        steps = scratch[0] | scratch[1] << 8
        if steps & 0x8000:
            steps -= 0x10000
        if rom[0] == 0x10:  # a DS18S20 counts halves, and tells what is left in another byte
            return (steps >> 1) - 0.25 + (scratch[7] - scratch[6]) / scratch[7]
        return steps / 16

    def _select(self, rom, command):
        self.ow.reset(True)
        self.ow.select_rom(rom)
        self.ow.writebyte(command)
