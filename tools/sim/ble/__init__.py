"""Bluetooth LE of the simulated world: the air, the chips' radios in it, and phones.

Its modules import bumble, which takes a while, so they are imported when Bluetooth is first used.
"""

import errno


class BleError(Exception):
    """What the stack refuses; `number` is the errno that the device sees."""

    def __init__(self, number: int) -> None:
        super().__init__(errno.errorcode[number])
        self.number = number
