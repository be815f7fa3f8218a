# uctypes of the simulated chip: of its memory, what ESP-IDF keeps for the Bluetooth controller.

_START = 0x3FFB0000
_SIZE = 0x6388
_made = {}


def bytearray_at(address, size):
    """The bytearray there; that others of other sizes lie in the same place is not modelled."""
    if not _START <= address <= address + size <= _START + _SIZE:
        raise ValueError("{} bytes at 0x{:x}: on a chip they are ESP-IDF's, or nothing".format(size, address))
    return _made.setdefault((address, size), bytearray(size))
