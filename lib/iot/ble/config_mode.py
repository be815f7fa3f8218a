"""Mode CONFIG: makes the parts that set a device up over Bluetooth LE, and connects them."""

import asyncio
import json
import os

import network
from micropython import const

from iot import identity, probation
from iot.application import Application
from iot.ble.codes import number
from iot.ble.conversation import Conversation
from iot.ble.door import Door
from iot.ble.requests import DATA, Requests, packet
from iot.ble.session import Session
from iot.ble.setup import Setup
from iot.memory import borrow, forget
from iot.storage import rtc
from iot.thing import Thing

_PROTOCOL = const(1)


def enter(system, configured):
    """Begins the tasks of the mode.

    Args:
        system: the System.
        configured: whether there is a configuration to go back to when the time is over.
    """
    settings, tasks = system.settings, system.tasks
    if configured:  # however this life ends, the next one goes on, even where the button is stuck
        rtc.set("setup", 2)
    try:
        network.WLAN(network.STA_IF).active(True)  # without a radio the chip's random numbers are none
        code = identity.code(system.nvs, settings.SETUP_CODE, os.urandom)
        system.unreached = probation.reason(system.nvs)
        if system.unreached:
            system.log.warning("setup", "the cloud was not reached: {}", system.unreached)
        from iot.ble.service import Service
    except (OSError, RuntimeError, MemoryError, ValueError, ImportError) as error:
        # Also a chip without Bluetooth (ESP32-S2), or a board without aioble.
        system.log.error("ble", "off, the console is left: {}", error)
        if configured:
            tasks["ble"] = asyncio.create_task(_go_back(system))
        return
    system.thing = Thing(
        system.device_id, settings.VERSION, system.flash, {}, system.log, NoCloud(), system.events, system
    )
    parts = Configuring(system, Service, code, configured)
    tasks["setup"] = asyncio.create_task(parts.setup.run())
    tasks["packets"] = asyncio.create_task(parts.send_packets())
    tasks["ble"] = asyncio.create_task(parts.serve())
    system.application = Application(system.load_application, "setup", system.thing, system.log)
    tasks["application"] = asyncio.create_task(system.application.run())


async def _go_back(system):
    """Nobody can come, but somebody may type."""
    await asyncio.sleep_ms(system.settings.CONFIG_MS)
    system.restart("nobody has configured it")


class NoCloud:
    """What the application has instead of an MQTT client: there is no memory for Bluetooth LE and TLS."""

    def publish(self, topic, payload, qos, retain):
        raise OSError("no cloud in mode CONFIG")

    def subscribe(self, topic_filter, qos, depth):
        raise OSError("no cloud in mode CONFIG")


class Configuring:
    """The parts of mode CONFIG. The coroutines `serve`, `setup.run` and `send_packets` each run as a task.

    Args:
        system: the System.
        make_service: iot.ble.service.Service, which not every chip can import.
        code: the device's code, normalised.
        configured: whether there is a configuration to go back to when the time is over.
    """

    def __init__(self, system, make_service, code, configured):
        self._system = system
        self._make_service = make_service
        self._code = code
        self._configured = configured
        self._wlan = network.WLAN(network.STA_IF)
        self._door = Door(rtc)
        self._packets = system.thing.ble
        self._facts = {"id": system.device_id, "version": system.settings.VERSION}
        status = {"mode": system.mode}
        status.update(self._facts)
        if system.unreached:
            name = "NOT_REACHED"
            status["error"] = {"code": number(name), "name": name, "detail": system.unreached}
        self.setup = Setup(status, self._scan, self._join, self._save, system.committed, system.log)
        self._requests = Requests(self.setup, self._packets, self._tell_time)
        self._conversation = None

    async def serve(self):
        """Serves phones until none has come for long."""
        system = self._system
        system.log.info("ble", "code {}", identity.shown(self._code))
        self.setup.begin_scan()
        facts = {"protocol": _PROTOCOL}
        facts.update(self._facts)
        info = json.dumps(facts).encode()
        name = identity.on_air(system.device_id)
        service = self._make_service(name, info, self._converse, self._pause, system.log, self._on_service)
        await service.run(system.settings.CONFIG_MS, self._configured)
        self._wlan.active(False)
        if self._configured:
            system.restart("nobody has configured it")
        else:
            system.log.warning("ble", "nobody came: off until the next start")

    async def send_packets(self):
        """Sends the application's packets, for ever."""
        while True:
            name, payload = await self._packets.next()
            conversation = self.setup.conversation
            if conversation:
                try:
                    await conversation.send(DATA, packet(name, payload))
                except (OSError, MemoryError):  # the phone is gone
                    self._packets.dropped += 1

    async def _pause(self):
        """Returns when the next phone is welcome."""
        pause_ms = self._door.pause_ms
        if pause_ms:
            self._system.log.warning("ble", "wrong codes: closed for {} s", pause_ms // 1000)
            await self._door.opened()

    def _converse(self, transmit):
        session = Session(self._code, self._door, os.urandom)
        self._conversation = Conversation(session, self._requests, transmit, self._opened)
        return self._conversation

    def _tell_time(self, unix_s):
        borrow("iot.clock.adjust").tell(self._system, unix_s)

    def _opened(self):
        """The phone has proved itself: from now on it is told what happens."""
        self.setup.conversation = self._conversation
        self._packets.set_open(True)
        self._system.tell("ble_proved")

    def _on_service(self, event, detail):
        if event == "ble_down":
            self.setup.conversation = self._conversation = None  # its buffer makes room for the next one's
            self._packets.set_open(False)
        self._system.tell(event, detail)

    def _save(self, document):
        probation.replace(self._system, document)

    async def _scan(self):
        from iot.wifi import scan

        forget("iot.wifi.scan")
        return scan.shown(await scan.scan(self._wlan))

    async def _join(self, wanted):
        from iot.wifi import attempt, join, words

        forget("iot.wifi.attempt", "iot.wifi.join", "iot.wifi.words")
        wlan = self._wlan
        found = await join.heard(wlan, self._system.log)
        result, _ = await attempt.join(wlan, wanted, found)
        attempt.leave(wlan)
        return result, words.words(result, wanted, found)
