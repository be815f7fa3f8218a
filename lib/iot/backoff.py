"""Full-jitter exponential backoff."""

import random


class Backoff:
    """Delays for retries: uniform from 0 to a ceiling that doubles from `base_ms` to `cap_ms`.

    Full jitter spreads a fleet that lost its broker at one moment over the whole interval
    (AWS Architecture Blog, "Exponential Backoff And Jitter"). randrange: `random.randrange` or a stand-in.
    """

    def __init__(self, base_ms=1000, cap_ms=64000, randrange=random.randrange):
        self.base_ms = self.ceiling_ms = base_ms
        self.cap_ms = cap_ms
        self.randrange = randrange

    def next_ms(self):
        """The delay before the next try, in ms."""
        ceiling_ms = self.ceiling_ms
        self.ceiling_ms = min(self.cap_ms, ceiling_ms * 2)
        return self.randrange(ceiling_ms + 1)

    def reset(self):
        """Start again from `base_ms`: what was tried has worked."""
        self.ceiling_ms = self.base_ms
