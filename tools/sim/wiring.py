"""What is wired to a chip's pins: readings of sensors and answers of buses, each by a name that is checked.

    adc.34 = 1.65                       volts at a pin
    pin.15 = 1                          level of an input
    touch.4 = 210                       what TouchPad.read gives
    temperature = 48                    degrees Celsius within the chip
    dht.4.type = 22                     a DHT11 or DHT22, with dht.4.temperature and dht.4.humidity
    ds18b20.5.28ff641e8216c3 = 21.5     a DS18B20 on a 1-Wire bus, by its serial number
    i2c.0x76.0xd0 = "60"                bytes from a register on, in hex; of four digits it has 16 bits
    i2c.0x23 = "0d2a"                   bytes of a device without registers
    spi.5.9f = "ef4016"                 what follows a command, of the device whose chip select is pin 5
    uart.1 = ["$GPRMC,…\\r\\n"]          what comes on a UART: a text once, of a list one a second
    camera = 200000                     a picture that is drawn, of so many bytes; or a folder with pictures

In a file a dot is a level: {"adc": {"34": 1.65}}. A list of numbers is gone through, one a reading, and over
again. None takes away what has that name, and all below it.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ADC_PINS = (0, 2, 4, 12, 13, 14, 15, 25, 26, 27, 32, 33, 34, 35, 36, 37, 38, 39)
TOUCH_PINS = (0, 2, 4, 12, 13, 14, 15, 27, 32, 33)
NO_PINS = (24, 28, 29, 30, 31)
PINS = tuple(pin for pin in range(40) if pin not in NO_PINS)
_SERIES_MAX = 10_000
_HEX_MAX = 65_536
_TEXT_MAX = 4096
PICTURE_BYTES_LEAST, PICTURE_BYTES_MOST = 16 * 1024, 8 * 1024 * 1024

Check = Callable[[Any], Any]


class WiringError(ValueError):
    """A name or a value that makes no sense; the text names both and says why."""


def number(least: float, most: float, unit: str = "", whole: bool = False) -> Check:
    """A check for a number, or a list of them."""

    def one(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ValueError("a whole number" if whole else "a number")
        if not least <= value <= most:
            raise ValueError(f"{least:g} to {most:g}{unit and ' ' + unit}")
        return value

    def check(value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise ValueError("a number, or a list of numbers") from None
        if not isinstance(value, list):
            return one(value)
        if not 1 <= len(value) <= _SERIES_MAX:
            raise ValueError(f"a list of 1 to {_SERIES_MAX}")
        return [one(item) for item in value]

    return check


def _hex(value: Any) -> str:
    try:
        data = bytes.fromhex(value)
    except (TypeError, ValueError):
        raise ValueError('bytes in hex, as "0d2a"') from None
    if len(data) > _HEX_MAX:
        raise ValueError(f"{_HEX_MAX} bytes at most")
    return data.hex()


def _text(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ('"', "["):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError('a text, or JSON: "…" or ["…", "…"]') from None
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str) or len(item.encode()) > _TEXT_MAX:
            raise ValueError(f"a text of {_TEXT_MAX} bytes at most, or a list of such")
    return value


def _camera(value: Any) -> Any:
    if isinstance(value, str) and Path(value).is_dir():
        return value
    try:
        return number(PICTURE_BYTES_LEAST, PICTURE_BYTES_MOST, whole=True)(value)
    except ValueError:
        least, most = PICTURE_BYTES_LEAST, PICTURE_BYTES_MOST
        raise ValueError(f"{least} to {most} bytes, or a folder with pictures that is there") from None


def _kind(value: Any) -> Any:
    if value not in (11, 22, "11", "22"):
        raise ValueError("11 or 22")
    return int(value)


def _pin(pins: tuple[int, ...]) -> str:
    return f"({'|'.join(map(str, pins))})"


_SERIAL = "(28|22)[0-9a-f]{12}([0-9a-f]{2})?"
_KINDS: tuple[tuple[str, Check], ...] = (
    (rf"adc\.{_pin(ADC_PINS)}", number(0, 3.6, "V")),
    (rf"pin\.{_pin(PINS)}", number(0, 1, whole=True)),
    (rf"touch\.{_pin(TOUCH_PINS)}", number(0, 65535, whole=True)),
    (r"temperature", number(-40, 125, "degrees Celsius")),
    (rf"dht\.{_pin(PINS)}\.type", _kind),
    (rf"dht\.{_pin(PINS)}\.temperature", number(-40, 80, "degrees Celsius")),
    (rf"dht\.{_pin(PINS)}\.humidity", number(0, 100, "%")),
    (rf"ds18b20\.{_pin(PINS)}\.{_SERIAL}", number(-55, 125, "degrees Celsius")),
    (r"i2c\.0x[0-7][0-9a-f](\.0x([0-9a-f]{2}){1,2})?", _hex),
    (rf"spi\.{_pin(PINS)}\.([0-9a-f]{{2}})+", _hex),
    (r"uart\.[12]", _text),
    (r"camera", _camera),
)
_PLACES = "adc, pin, touch, temperature, dht, ds18b20, i2c, spi, uart, camera"


class Wiring:
    """The values by name. on_change: called with each name that was set."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._turns: dict[str, int] = {}
        self.on_change: Callable[[str], None] = lambda name: None

    def load(self, path: Path) -> None:
        """Take all of a JSON file, or nothing: WiringError names the place; OSError without a file."""
        try:
            document = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise WiringError(f"{path}: no JSON: {error}") from None
        if not isinstance(document, dict):
            raise WiringError(f"{path}: not an object")
        try:
            checked = [(name, check(name, value)) for name, value in _flat(document)]
        except WiringError as error:
            raise WiringError(f"{path}: {error}") from None
        for name, value in checked:
            self._put(name, value)

    def set(self, name: str, value: Any) -> None:
        """Set one value, or for None take away what has that name or one below it; WiringError."""
        self._put(name, None if value is None else check(name, value))

    def read(self, name: str, otherwise: Any = None) -> Any:
        """A reading: of a list the next one."""
        value = self._values.get(name, otherwise)
        if not isinstance(value, list):
            return value
        turn = self._turns.get(name, 0)
        self._turns[name] = (turn + 1) % len(value)
        return value[turn]

    def get(self, name: str) -> Any:
        """A value as it was set, None for one that is not there."""
        return self._values.get(name)

    def values(self) -> dict[str, Any]:
        """All values by their names, as they were set."""
        return dict(self._values)

    def below(self, name: str) -> dict[str, Any]:
        """All values whose names begin with `name` and a dot, by the rest of their names."""
        start = name + "."
        return {
            key.removeprefix(start): value for key, value in self._values.items() if key.startswith(start)
        }

    def _put(self, name: str, value: Any) -> None:
        if value is None:
            for gone in [key for key in self._values if key == name or key.startswith(name + ".")]:
                del self._values[gone]
        else:
            self._values[name] = value
        self._turns.pop(name, None)
        self.on_change(name)


def wire(wiring: Wiring, sensors: Path | None, settings: Iterable[tuple[str, Any]] = ()) -> None:
    """Wire what a file says, then single values; WiringError, OSError."""
    if sensors:
        wiring.load(sensors)
    for name, value in settings:
        wiring.set(name, value)


def check(name: str, value: Any) -> Any:
    """The value in the form it is kept; WiringError."""
    for pattern, convert in _KINDS:
        if re.fullmatch(pattern, name):
            try:
                return convert(value)
            except ValueError as error:
                raise WiringError(f"{name}: {error}") from None
    raise WiringError(
        f"{name}: nothing can be wired there; the places are {_PLACES}, as adc.34 or i2c.0x76.0xd0"
    )


def _flat(document: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        name = above + key.lower()
        if isinstance(value, dict):
            yield from _flat(value, name + ".")
        else:
            yield name, value
