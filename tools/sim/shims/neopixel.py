"""`neopixel`, which is frozen into the chip's image: a chain of WS2812 LEDs."""

import machine

_TIMINGS_NS = (800, 1700, 1600, 900), (400, 850, 800, 450)  # at 400 and at 800 kHz


class NeoPixel:
    """The colours of `n` LEDs, which `write` sends; bpp: 3 for red, green and blue, 4 with white."""

    ORDER = (1, 0, 2, 3)

    def __init__(self, pin, n, bpp=3, timing=1):
        self.pin, self.n, self.bpp = pin, n, bpp
        self.buf = bytearray(n * bpp)
        self.timing = _TIMINGS_NS[bool(timing)] if isinstance(timing, int) else timing
        pin.init(pin.OUT)

    def __len__(self):
        return self.n

    def __setitem__(self, i, v):
        for part in range(self.bpp):
            self.buf[i * self.bpp + self.ORDER[part]] = v[part]

    def __getitem__(self, i):
        return tuple([self.buf[i * self.bpp + self.ORDER[part]] for part in range(self.bpp)])

    def fill(self, v):
        for i in range(self.n):
            self[i] = v

    def write(self):
        """Send all colours."""
        machine.bitstream(self.pin, 0, self.timing, self.buf)
