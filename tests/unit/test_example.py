"""The example application's sensor, on chips of both kinds."""

import sys


class Chip:
    """An `esp32` with one function."""

    def __init__(self, name, value):
        setattr(self, name, lambda: value)


class Pins:
    Pin = None


_BORROWED = {"machine": Pins, "esp32": Chip("raw_temperature", 0)}  # the chip's, for the import alone
_before = {name: sys.modules.get(name) for name in _BORROWED}
sys.modules.update(_BORROWED)

from firmware import app  # noqa: E402

for _name, _module in _before.items():
    if _module is None:
        del sys.modules[_name]
    else:
        sys.modules[_name] = _module


def measured(chip):
    real, app.esp32 = app.esp32, chip
    try:
        return app.temperature()
    finally:
        app.esp32 = real


def test_each_chip_measures_in_celsius():
    assert measured(Chip("mcu_temperature", 41)) == 41
    for fahrenheit, celsius in ((32, 0), (122, 50), (-40, -40), (133, 56)):
        assert measured(Chip("raw_temperature", fahrenheit)) == celsius
