"""Mode CONFIG: makes the parts that set a device up over Bluetooth LE, and connects them."""

import asyncio
import json
import os

import network
from micropython import const

from iot.ble.codes import answer
from iot.ble.conversation import Conversation
from iot.ble.door import Door
from iot.ble.requests import DATA, Requests, packet
from iot.ble.session import Session
from iot.ble.setup import Setup
from iot.memory import borrow

_PROTOCOL = const(1)


def _retained():
    return borrow("iot.storage.rtc")


class NoCloud:
    """What the application has instead of an MQTT client: there is no memory for Bluetooth LE and TLS."""

    def publish(self, *message):
        raise OSError("no cloud in mode CONFIG")

    subscribe = publish
    telemetry = None


class ConfigMode:
    """The parts of mode CONFIG. The coroutines `serve`, `setup.run` and `send_packets` each run as a task.

    Args:
        device_id: the device's name.
        settings: with SETUP_CODE, CONFIG_MS, VERSION and BUILT of firmware/settings.py.
        nvs: an esp32.NVS.
        store: called for the Store that takes the configuration.
        configured: whether there is a configuration to go back to when the time is over.
        packets: the Packets of the application.
        log: a Log.
        tell: called with ("ble_up", address), ("ble_proved", None), ("ble_down", reason), and ("unreached",
            why the last configuration led to no cloud).
        turn: called with the event that leaves the mode, and its reason.
    """

    def __init__(self, device_id, settings, nvs, store, configured, packets, log, tell, turn):
        self._device_id = device_id
        self._settings = settings
        self._nvs = nvs
        self._store = store
        self._configured = configured
        self._packets = packets
        self._log = log
        self._tell = tell
        self._turn = turn
        self._wlan = network.WLAN(network.STA_IF)
        self._door = Door(_retained)
        if configured:  # however this life ends, the next one goes on, even where the button is stuck
            _retained().set("setup", 2)

    def prepare(self):
        """Makes what may fail, and returns whether it is there; without it the console is left."""
        try:
            self._wlan.active(True)  # without a radio the chip's random numbers are none
            identity = borrow("iot.identity")
            self._code = identity.code(self._nvs, self._settings.SETUP_CODE, os.urandom)
            probation = borrow("iot.probation")
            unreached = None if probation.reached(self._nvs) else probation.reason(self._nvs)
            from iot.ble.service import Service
        except (OSError, RuntimeError, MemoryError, ValueError, ImportError) as error:
            # Also a chip without Bluetooth (ESP32-S2), or a board without aioble.
            self._log.error("ble", "off, the console is left: {}", error)
            return False
        facts = {"id": self._device_id, "version": self._settings.VERSION}
        status: dict = dict(facts, mode="CONFIG")
        if unreached:
            self._log.warning("setup", "the cloud was not reached: {}", unreached)
            self._tell("unreached", unreached)
            status["error"] = answer(None, "NOT_REACHED", unreached)
        name = identity.on_air(self._device_id)
        info = json.dumps(dict(facts, protocol=_PROTOCOL)).encode()
        self._service = Service(name, info, self._converse, self._pause, self._log, self._on_service)
        self.setup = Setup(
            status, self._service.send, self._scan, self._join, self._save, self._committed, self._log
        )
        self._requests = Requests(self.setup, self._packets, self._tell_time)
        self._packets.proven = self._service.proven
        return True

    async def go_back(self):
        """Where nobody can come, but somebody may type: ends the mode when the time is over."""
        if self._configured:
            for _ in range(self._settings.CONFIG_MS // 1000):  # MicroPython's waits have 6.2 days at the most
                await asyncio.sleep_ms(1000)
            self._turn("restart", "nobody has configured it")

    async def serve(self):
        """Serves phones until none has come for long."""
        self._log.info("ble", "code {}", borrow("iot.identity").shown(self._code))
        self.setup.begin_scan()
        await self._service.run(self._settings.CONFIG_MS, self._configured)
        self._wlan.active(False)
        if self._configured:
            self._turn("restart", "nobody has configured it")
        else:
            self._log.warning("ble", "nobody came: off until the next start")

    async def send_packets(self):
        """Sends the application's packets, for ever."""
        while True:
            name, payload = await self._packets.next()
            try:
                await self._service.send(DATA, packet(name, payload))
            except (OSError, MemoryError):  # the phone is gone
                self._packets.dropped += 1

    async def _pause(self):
        """Returns when the next phone is welcome."""
        pause_ms = self._door.pause_ms
        if pause_ms:
            self._log.warning("ble", "wrong codes: closed for {} s", pause_ms // 1000)
            await self._door.opened()

    def _converse(self, transmit):
        session = Session(self._code, self._door, os.urandom)
        return Conversation(session, self._requests, transmit, self._opened)

    def _tell_time(self, unix_s):
        borrow("iot.clock.adjust").tell(unix_s, self._settings.BUILT, self._nvs, None)

    def _opened(self):
        self._tell("ble_proved", None)

    def _on_service(self, event, detail):
        if event == "ble_down":
            self._packets.clear()
        self._tell(event, detail)

    def _save(self, document):
        borrow("iot.probation").replace(self._nvs, self._store(), document)

    def _committed(self):
        self._turn("committed", "new configuration")

    async def _scan(self):
        scan = borrow("iot.wifi.scan")
        return scan.shown(await scan.scan(self._wlan))

    async def _join(self, wanted):
        join, wlan = borrow("iot.wifi.join"), self._wlan
        result, reason, _ = await join.enter(wlan, wanted, await join.heard(wlan, self._log))
        borrow("iot.wifi.attempt").leave(wlan)
        return result, reason
