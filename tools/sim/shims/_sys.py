"""`sys` of the simulated chip on MicroPython's unix port: its own, which says that it is an ESP32."""

import sys
from sys import (
    byteorder,
    exit,
    maxsize,
    modules,
    path,
    print_exception,
    stderr,
    stdin,
    stdout,
    version,
    version_info,
)

platform = "esp32"


class _Implementation:
    """What the interpreter says of itself, but for the board, and with the chip's architecture."""

    _machine = "Generic ESP32 module with ESP32"
    _build = "ESP32_GENERIC-OTA"

    def __init__(self, own):
        self.name = own.name
        self.version = own.version
        self._mpy = own._mpy & 0x3FF | 10 << 10  # xtensawin
        self._all = own

    def __getitem__(self, index):
        return self._all[index]


implementation = _Implementation(sys.implementation)
