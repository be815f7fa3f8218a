"""What a chip's drivers of sensors and buses ask for: answered by what is wired to its pins."""

import asyncio
import contextlib
import errno
from collections.abc import Callable
from typing import Any

from tools.sim.buses import BusError, I2c, Spi
from tools.sim.clock import Clock
from tools.sim.interrupts import Interrupts
from tools.sim.onewire import OneWire, Probe
from tools.sim.pictures import PICTURE_BYTES, picture
from tools.sim.wiring import Wiring

_ADC2_PINS = (0, 2, 4, 12, 13, 14, 15, 25, 26, 27)  # Wi-Fi has this converter while it is on
_FULL_SCALE_V = (1.1, 1.467, 2.195, 3.903)  # by attenuation: 0, 2.5, 6 and 11 dB
_UNTOUCHED = 1000
WARM_C = 53.3  # an idle chip
_TEXT_EVERY_S = 1.0
_SENT_SHOWN = 48


class Peripherals:
    """The drivers' other half. on_io: called with name and text of each value an output or a sensor gets.

    wifi_on: whether Wi-Fi is on; pins: what the program puts out.
    """

    def __init__(self, wifi_on: Callable[[], bool], pins: dict[int, int], clock: Clock) -> None:
        self.wiring = Wiring()
        self.wiring.on_change = self._changed
        self.interrupts = Interrupts(clock)
        self.pwm: dict[int, tuple[int, int]] = {}  # by pin: Hz, and how long it is high of 65,535
        self.lights: dict[int, bytes] = {}  # by pin: what was last sent as a bit stream
        self.sent: dict[int, bytes] = {}  # by UART: what was sent last
        self.on_io: Callable[[str, str], None] = lambda name, text: None
        self._wifi_on = wifi_on
        self._pins = pins
        self._i2c = I2c(self.wiring)
        self._spi = Spi(self.wiring, lambda pin: pins.get(pin) == 0)
        self._onewires: dict[int, tuple[tuple[str, ...], OneWire]] = {}
        self._picture = b""  # that the camera has taken
        self._pictures = 0
        self._texts: dict[int, asyncio.Event] = {}  # by UART: there is another text
        self._told: dict[str, str] = {}

    def power_on(self) -> None:
        """What is outside of the chip has got power as well."""
        self._i2c.forget()
        self._onewires.clear()

    def restart(self, cold: bool) -> None:
        """Be as after a reset; a soft one leaves outputs alone."""
        self.interrupts.clear()
        if cold:
            self.pwm.clear()
            self.lights.clear()

    def request(self, operation: str, *arguments: Any) -> Any:
        """Do what a driver asks for; raises BusError."""
        return getattr(self, "_on_" + operation)(*arguments)

    async def serve(self, which: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A line to the program: its interrupts (0), or a UART's bytes each way until the program ends."""
        if not which:
            await self.interrupts.serve(reader, writer)
            return
        giving = asyncio.create_task(self._give_texts(which, writer))
        try:
            while data := await reader.read(1024):
                self.sent[which] = data
                self._tell(f"uart.{which}", f"sent {data[:_SENT_SHOWN]!r}", always=True)
        finally:
            giving.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await giving

    def edge(self, pin: int, before: int | None, level: int) -> None:
        """The program has put out a level."""
        if level == 0 and before != 0:
            self._spi.select(pin)
        if level != before:
            self._tell(f"pin.{pin}", str(level))

    def _changed(self, name: str) -> None:
        kind, _, rest = name.partition(".")
        if kind == "i2c" and rest:
            self._i2c.forget(int(rest.partition(".")[0], 16))
        if kind == "uart" and rest and (there := self._texts.get(int(rest))):
            there.set()
        if kind == "pin" and rest:
            self.interrupts.level(int(rest), int(self.wiring.read(name, 0)))
        value = self.wiring.get(name)
        self._tell(name, "gone" if value is None else f"set to {value!r}", always=True)

    def _tell(self, name: str, text: str, always: bool = False) -> None:
        if always or self._told.get(name) != text:
            self._told[name] = text
            self.on_io(name, text)

    def _reading(self, name: str, unit: str, otherwise: Any = None) -> Any:
        value = self.wiring.read(name, otherwise)
        if value is not None:
            self._tell(name, f"{value:g}{unit}")
        return value

    def _on_adc(self, pin: int, attenuation: int) -> float:
        """The part of the full scale that is at a pin, 1 for all of it."""
        if pin in _ADC2_PINS and self._wifi_on():
            raise BusError(errno.ETIMEDOUT)
        return self._reading(f"adc.{pin}", " V", 0.0) / _FULL_SCALE_V[attenuation]

    def _on_touch(self, pin: int) -> int:
        return self._reading(f"touch.{pin}", "", _UNTOUCHED)

    def _on_temperature(self) -> float:
        return self._reading("temperature", " °C", WARM_C)

    def _on_pwm(self, pin: int, hertz: int, duty: int) -> None:
        if hertz:
            self.pwm[pin] = (hertz, duty)
            self._tell(f"pwm.{pin}", f"{hertz} Hz, {duty / 65535:.1%}")
        elif self.pwm.pop(pin, None):
            self._tell(f"pwm.{pin}", "off")

    def _on_bitstream(self, pin: int, data: str) -> None:
        self.lights[pin] = bytes.fromhex(data)
        shown = data if len(data) <= _SENT_SHOWN else f"{data[:_SENT_SHOWN]}…, {len(data) // 2} bytes"
        self._tell(f"bitstream.{pin}", shown)

    def _on_dht(self, pin: int) -> str:
        name = f"dht.{pin}"
        temperature = self._reading(f"{name}.temperature", " °C")
        humidity = self._reading(f"{name}.humidity", " %")
        if temperature is None or humidity is None:
            raise BusError(errno.ETIMEDOUT)
        if self.wiring.read(f"{name}.type", 22) == 11:
            data = bytes((round(humidity), 0, max(0, round(temperature)), 0))
        else:
            tenths = round(abs(temperature) * 10) | (0x8000 if temperature < 0 else 0)
            data = round(humidity * 10).to_bytes(2, "big") + tenths.to_bytes(2, "big")
        return (data + bytes([sum(data) & 0xFF])).hex()

    def _on_onewire_reset(self, pin: int) -> bool:
        return self._onewire(pin).reset()

    def _on_onewire(self, pin: int, value: int, bits: int) -> int:
        bus = self._onewire(pin)
        return sum(bus.slot(value >> place & 1) << place for place in range(bits))

    def _onewire(self, pin: int) -> OneWire:
        """The bus at a pin: probes that came or went are no reason for the others to forget."""
        name = f"ds18b20.{pin}"
        serials = tuple(self.wiring.below(name))
        known, bus = self._onewires.get(pin, ((), OneWire()))
        if known != serials:
            old = dict(zip(known, bus.probes, strict=True))
            bus.probes = [old.get(serial) or self._probe(f"{name}.{serial}", serial) for serial in serials]
            self._onewires[pin] = (serials, bus)
        return bus

    def _probe(self, name: str, serial: str) -> Probe:
        return Probe(serial, lambda: self._reading(name, " °C", 85.0))

    def _on_i2c_scan(self) -> list[int]:
        return self._i2c.addresses()

    def _on_i2c(self, address: int, data: str | None, size: int) -> str:
        """A write of `data`, if any, then a read of `size` bytes, if any."""
        if data is not None:
            self._i2c.write(address, bytes.fromhex(data))
        return self._i2c.read(address, size).hex() if size else ""

    def _on_spi(self, data: str) -> str:
        return self._spi.transfer(bytes.fromhex(data)).hex()

    def _on_camera(self) -> int:
        """Take a picture; its bytes."""
        self._pictures += 1
        self._picture = picture(self.wiring.read("camera", PICTURE_BYTES), self._pictures)
        self._tell("camera", f"a picture of {len(self._picture)} bytes", always=True)
        return len(self._picture)

    def _on_camera_part(self, at: int, count: int) -> str:
        return self._picture[at : at + count].hex()

    def _on_timer(self, number: int, period_s: float, repeat: bool) -> None:
        self.interrupts.timer(number, period_s, repeat)

    def _on_timer_stop(self, number: int) -> None:
        self.interrupts.stop_timer(number)

    def _on_irq(self, pin: int, edges: int, level: int) -> None:
        self.interrupts.watch(pin, edges, level)

    async def _give_texts(self, which: int, writer: asyncio.StreamWriter) -> None:
        """A text comes once, when it is set; of a list one a second."""
        there = self._texts[which] = asyncio.Event()
        name = f"uart.{which}"
        while True:
            several = isinstance(self.wiring.get(name), list)
            if (text := self.wiring.read(name)) is not None:
                writer.write(text.encode())
                await writer.drain()
            if several:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(there.wait(), _TEXT_EVERY_S)
            else:
                await there.wait()
            there.clear()
