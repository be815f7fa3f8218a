"""What of a chip is outside of its program: clock, memory, watchdog, reset cause, flash writes and radio."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tools.sim.clock import Clock, Timer
from tools.sim.memory import Memory
from tools.sim.peripherals import Peripherals
from tools.sim.radio import Air, Station
from tools.sim.wiring import WiringError

if TYPE_CHECKING:
    from tools.sim.ble.air import BleAir
    from tools.sim.ble.chip_radio import ChipRadio

PWRON_RESET, HARD_RESET, WDT_RESET, SOFT_RESET = 1, 2, 3, 5  # values of `machine`
SECONDS_1970_TO_2000 = 946_684_800
PULL_UP = 2
OUTCOMES = ("before", "torn", "after")
_IDLE_TASK_S = 0.005  # after which FreeRTOS frees the stack of a thread that has ended


CTRL_C = 3


class Chip:
    """One chip. The device's program asks it for things by `request`; the launcher powers and restarts it."""

    def __init__(self, mac: str, air: Air, air_ble: "Callable[[], BleAir]") -> None:
        self.mac = mac
        self.clock = Clock()
        self.station = Station(air, self.clock)
        self._air_ble = air_ble
        self._ble: ChipRadio | None = None
        self.has_bluetooth = True  # the ESP32-S2 has none, nor then its MicroPython the module
        self.slots = 2  # partitions for applications; 1: there is none to write an image to
        self.reset_cause = PWRON_RESET
        self.pins: dict[int, int] = {}
        # Pins whose buttons somebody holds, over resets and losses of power too.
        self.held_low: set[int] = set()
        self._pulled_up: set[int] = set()
        self.peripherals = Peripherals(lambda: self.station.active, self.pins, self.clock)
        self.prompt: bool | None = None  # whether the raw REPL; None: the program ends with main.py
        self.at_prompt = False  # it waits for what is typed
        self.prompts = 0  # how often it has begun to wait
        self.interrupted_by_ctrl_c = False  # then it is a character like others, as before boot.py
        self.boots = 0
        self.flash_writes = 0
        self.memory = Memory()
        self.kill: Callable[[], None] = lambda: None  # ends the program at once; set by the launcher
        self.stopped = asyncio.Event()  # the chip was reset or lost power: `next_cause` says which
        self.next_cause: int | None = None
        self._cut: tuple[int, str] = (0, "")
        self._watchdog: Timer | None = None
        self.watchdog_s = 0.0
        self._rtc_memory = ""
        self._clock_offset_s = 0.0  # by which its `time` differs from the host's, beside what it skipped

    @property
    def ble(self) -> "ChipRadio":
        """Its Bluetooth LE; that bumble takes a while to import is paid by who uses it."""
        if not self._ble:
            from tools.sim.ble.chip_radio import ChipRadio  # noqa: PLC0415

            self._ble = ChipRadio(self._air_ble(), self.mac)
        return self._ble

    def power_on(self) -> None:
        """The state of a chip that just got power: its clock starts in 2000, its RTC memory is empty."""
        self._rtc_memory = ""
        self._clock_offset_s = SECONDS_1970_TO_2000 - time.time() - self.clock.ahead_s
        self.peripherals.power_on()
        self.restart(PWRON_RESET)

    def restart(self, cause: int) -> None:
        """Start over. A soft reset leaves Wi-Fi and the watchdog alone and ends Bluetooth."""
        self.boots += 1
        self.reset_cause = cause
        self.next_cause = None
        self.at_prompt = self.interrupted_by_ctrl_c = False
        if cause != SOFT_RESET and self.prompt:
            self.prompt = False
        self.stopped.clear()
        self.peripherals.restart(cold=cause != SOFT_RESET)
        if cause != SOFT_RESET:
            self.pins.clear()
            self._pulled_up.clear()
            self.silence()
        elif self._ble:
            self._ble.stop(farewell=True)
        self.memory.start(wifi=self.station.active, bluetooth=self.has_bluetooth)

    def silence(self) -> None:
        """Stop everything that works on without a program."""
        self.peripherals.interrupts.clear()
        self.station.stop()
        self.station.reconnects = -1
        self.station.static = None
        if self._ble:
            self._ble.stop()
        if self._watchdog:
            self._watchdog.cancel()
            self._watchdog = None

    def cut_at_write(self, n: int, outcome: str) -> None:
        """Take the power away at the n-th flash write from now; `outcome` is what is then in flash."""
        if outcome not in OUTCOMES:
            raise ValueError(f"outcome: one of {', '.join(OUTCOMES)}")
        self._cut = (self.flash_writes + n, outcome)

    def spare(self) -> bool:
        """Do not cut at a write any more; False where that has happened already."""
        (at, _), self._cut = self._cut, (0, "")
        return not at or self.flash_writes < at

    def stop(self, cause: int | None) -> None:
        """End the program: a reset with `cause`, or for None a loss of power."""
        if not self.stopped.is_set():
            self.next_cause = cause
            self.stopped.set()
        self.kill()

    def set(self, name: str, value: Any) -> str:
        """Set what is wired to it, for another program; the answer is why not."""
        try:
            self.peripherals.wiring.set(name, value)
        except WiringError as error:
            return str(error)
        return ""

    async def request(self, operation: str, arguments: list[Any]) -> Any:
        """Answer one question of the device's shims; None is an answer too."""
        answer = getattr(self, "_on_" + operation)(*arguments)
        return await answer if asyncio.iscoroutine(answer) else answer

    def _on_hello(self) -> dict[str, Any]:
        return {
            "mac": self.mac,
            "cause": self.reset_cause,
            "clock": self._clock_offset_s,
            "ahead": self.clock.ahead_s,
            "speed": self.clock.speed,
            "memory": self._rtc_memory,
            "bluetooth": self.has_bluetooth,
            "slots": self.slots,
            "prompt": self.prompt,
        }

    def _on_prompt(self, waits: bool, raw: bool) -> None:
        self.at_prompt, self.prompt = waits, raw
        self.interrupted_by_ctrl_c = True  # as each program does that is run from there
        self.prompts += waits

    def _on_interrupt_character(self, character: int) -> None:
        self.interrupted_by_ctrl_c = character == CTRL_C

    def _on_clock(self, offset_s: float) -> None:
        self._clock_offset_s = offset_s

    def _on_skip(self, us: int) -> None:
        self.clock.skip(us / 1_000_000)

    def _on_memory(self, memory: str) -> None:
        self._rtc_memory = memory

    def _on_pin(self, number: int, value: int) -> None:
        before = self.pins.get(number)
        self.pins[number] = value
        self.peripherals.edge(number, before, value)

    def _on_pull(self, number: int, direction: int | None) -> None:
        self._pulled_up.discard(number)
        if direction == PULL_UP:
            self._pulled_up.add(number)

    def _on_read_pin(self, number: int) -> int:
        if number in self.held_low:
            return 0
        wired = self.peripherals.wiring.read(f"pin.{number}", int(number in self._pulled_up))
        return self.pins.get(number, wired)

    def _on_heap(self) -> list[tuple[int, int, int, int]]:
        return self.memory.idf()

    def _on_python(self, made: int) -> tuple[int, int, int, int]:
        return self.memory.python(made)

    def _on_thread(self, stack_bytes: int) -> int | None:
        return self.memory.thread(stack_bytes)

    def _on_thread_ended(self, number: int) -> None:
        asyncio.get_running_loop().call_later(_IDLE_TASK_S, self.memory.give_back, number)

    def _on_tls(self, stage: str) -> list[Any] | None:
        error = self.memory.tls_error(stage)
        return [type(error).__name__, *error.args] if error else None

    def _on_write(self) -> str | None:
        self.flash_writes += 1
        at, outcome = self._cut
        return outcome if self.flash_writes == at else None

    def _on_power_cut(self) -> None:
        self.stop(None)

    def _on_reset(self, cause: int) -> None:
        self.stop(cause)

    def _on_watchdog(self, timeout_ms: int) -> None:
        self.watchdog_s = timeout_ms / 1000
        self.memory.firmware()
        self._on_feed()

    def _on_feed(self) -> None:
        if self._watchdog:
            self._watchdog.cancel()
        self._watchdog = self.clock.call_later(self.watchdog_s, self.stop, WDT_RESET)

    def _on_wifi_active(self, active: bool) -> bool:
        if not self.memory.wifi(active):
            return False
        self.station.set_active(active)
        return True

    def _on_wifi_connect(self, ssid: str | None, password: str | None, bssid: str | None) -> None:
        self.station.connect(ssid, password, bssid)

    def _on_wifi_disconnect(self) -> None:
        self.station.disconnect()

    def _on_wifi_reconnects(self, count: int) -> None:
        self.station.reconnects = count

    def _on_wifi_state(self) -> dict[str, Any]:
        station = self.station
        return {
            "active": station.active,
            "connected": station.connected,
            "status": station.status(),
            "reconnects": station.reconnects,
            "static": station.static,
        }

    def _on_wifi_static(self, config: list[str] | None) -> None:
        self.station.set_static(tuple(config) if config else None)

    def _on_wifi_rssi(self) -> int:
        return self.station.rssi()

    async def _on_wifi_scan(self) -> list[tuple[str, str, int, int, int]]:
        return await self.station.scan()

    def _on_part(self, operation: str, *arguments: Any) -> Any:
        return self.peripherals.request(operation, *arguments)

    async def _on_ble(self, operation: str, *arguments: Any) -> Any:
        return await self.ble.request(operation, *arguments)
