"""What a device does while its mode lasts: it watches its tasks and hears what peers and people want."""

import asyncio
import gc
import time

import machine
from micropython import const

from iot import memory
from iot.events import NAMES, Events, within
from iot.log import Log
from iot.memory import borrow

_CONFIG_BYTES = const(2000)

_TICK_MS = const(100)
_LATE_MS = const(20)
_LOOK_TICKS = const(10)  # between two looks at the heap
_DAY_TICKS = const(864000)  # between two looks at the end of the certificate
_FIRST_TICKS = const(600)  # before the first of them
_COMMAND_MS = const(120000)  # the longest that a connection in the making lets a command wait
_HEAP_LEAST = const(4096)  # with less free the next allocation may take what Wi-Fi and TLS need
_PROMPT_MS = const(3600 * 1000)


class System:
    """Runs the device from power-on to reset. What happens between two modes is in iot.transitions.

    Args:
        settings: the module firmware/settings.py, or what has the same names.

    Attributes:
        folder: where certificates and keys are.
        mode: one of iot.modes.
        turns: the events that lead out of it, the strongest last.
        lasting: names of the tasks whose end is a death.
        tasks: what runs in this mode, by name.
        wifi, clock, cloud, jobs, thing: the parts of the mode NORMAL, else None.
        setup: the Setup of the mode CONFIG, else None.
        nvs, flash: None where flash could not be initialised.
        application: the Application, None in modes without one.
        counts: messages that did not get through to the cloud or from it, by the reason (iot.mqtt.queues).
        calm: an Event, set while no connection is in the making, which takes nearly all memory there is.
        starved: attempts in a row that failed for want of memory.
        starved_reason: the last one that did, None where none has.
        unreached: why the cloud was not reached at the last attempt, None once it was.
        reason: why the device restarts.
        event: what leads to another mode, None where nothing does.
        asked_ms: uptime at which the console was asked for a factory reset, None where it was not.
        stored: what the Store has read of the configuration, None where there is none.
        document: the file with what the console has got of a configuration, None where none has begun.
        memory: bytes of heap in use, and free, before the last command.
        buffers: of a connection, where they are none of the heap's (iot.bt_memory).
        heap: keeps what the heap was given (iot.heap), None where it was left as it is.
        heap_total: bytes that it then had, and keeps.
        held_ms: the longest that the loop was held since it was told.
    """

    folder = "/certs"
    setup = None  # type: object

    def __init__(self, settings):
        self.settings = settings
        self.log = Log(settings.LOG_LEVEL)
        self.events = Events(self.log)
        self.mode = "INIT"
        self.turns = self.lasting = ()
        self.device_id = self.reason = ""
        self.tasks = {}
        self.counts = {}
        self.nvs = self.flash = self.wifi = self.clock = self.cloud = self.jobs = self.thing = None
        self.watchdog = self.heap = self.buffers = None
        self.load_application = self.document = self.event = self.stored = None
        self.application = self.starved_reason = self.unreached = self.asked_ms = self._configure = None
        self.calm = asyncio.Event()
        self.calm.set()
        self.starved = self.heap_total = self.held_ms = 0

    def run(self, load_application):
        """Runs until the chip is reset. `load_application()` imports the application and returns the module.

        Ctrl-C ends it, with an hour for whoever typed it: after that the watchdog brings the device back. One
        in a packet of Improv's, as a browser sends it that was opened beside a running device, restarts it.
        Whatever else leaves the loop is logged, and the chip is reset.
        """
        self.load_application = load_application
        self.watchdog = machine.WDT(timeout=self.settings.WATCHDOG_MS)
        try:
            asyncio.run(self._run())
        except KeyboardInterrupt:
            self.watchdog = machine.WDT(timeout=_PROMPT_MS)  # it can be given time, but not be stopped
            try:
                borrow("iot.console.improv").interrupted(self)
            except MemoryError:  # whoever typed it shall come to the prompt
                pass
        except BaseException as error:  # e.g. sys.exit() in a task of the application's own making
            borrow("iot.deaths").of_loop(self, error)

    # What the application and the console ask for.

    def restart(self, reason):
        """Flushes writes, takes leave of the cloud and resets the chip."""
        self.turn("restart", reason)

    def turn(self, event, reason):
        """Leaves the mode by an event of iot.modes, unless one that is as strong waits already.

        What led into the mode, and still stands there while its tasks begin, is none that waits.
        """
        turns, waits = self.turns, self.event
        if event in turns and (waits not in turns or turns.index(event) > turns.index(waits)):
            self.event, self.reason = event, reason

    def service(self, kind):
        """What iot.services makes of this kind, such as the thing's `shadow` when it is first touched."""
        return borrow("iot.services").make(self, kind)

    def record(self, key, size):
        """A Record, its code being in memory for as long as it is used. OSError where there is no flash."""
        return borrow("iot.storage.record").Record(self.nvs, key, size)

    def store(self):
        """A Store, as a `record`."""
        record = self.record("config", _CONFIG_BYTES)
        module = borrow("iot.storage.store")
        return module.Store(record, module.Credentials(self.folder), self.stored)

    async def command(self, name, argument):
        """Carries out what iot.console.lines has read, and returns the answer."""
        if not self.calm.is_set():
            self.log.info("console", "connecting, a moment")
            await within(_COMMAND_MS, self.calm.wait())
        gc.collect()
        self.memory = gc.mem_alloc(), memory.heap_free()  # without what the command itself takes
        if name is None:
            return await borrow("iot.console.improv").run(self, argument)
        if name == "configure":
            module = self._configure or borrow("iot.console.configure")
            try:
                return await module.run(self, argument)
            finally:
                self._configure = module if self.document else None  # the next piece comes soon
        if name in ("status", "wifi"):
            return borrow("iot.console.status").answer(self, name)
        return borrow("iot.console.commands").run(self, name, argument)

    def tell(self, event, detail=None):
        """Tells the application and the state machine about a fact."""
        if event in NAMES:
            self.events.emit(event, detail)
        if event in ("unreached", "wifi_down", "cloud_down"):
            self.unreached = detail
        elif event in ("wifi_up", "cloud_up"):
            self.unreached = None
        if event == "connecting":
            self.calm.clear() if detail else self.calm.set()
        elif event == "starved" or (event in ("cloud_up", "provisioned") and self.starved):
            starving = borrow("iot.starving")
            starving.heal(self, detail) if event == "starved" else starving.fed(self)
        if event in ("cloud_up", "cloud_down", "provisioned", "unreached") and self.clock:
            self.clock.tell(event, detail)
        if event == "wifi_up" and self.cloud:
            self.cloud.client.probe()  # a connection that did not survive shall end soon
        elif event == "cloud_up" and self.jobs:
            self.jobs.look()
        self.turn(event, event)

    # The life of the system.

    async def _run(self):
        """Changes modes, and in between feeds the watchdog while every task lives."""
        ticks = 0
        while True:
            await self._change()
            while self.event is None:
                self.watchdog.feed()
                start_ms = time.ticks_ms()
                await asyncio.sleep_ms(_TICK_MS)
                ticks += 1
                late_ms = time.ticks_diff(time.ticks_ms(), start_ms) - _TICK_MS
                self.held_ms = max(self.held_ms, late_ms)
                if ticks % _LOOK_TICKS == 0:
                    self.log.uptime_ms()  # which counts on where ticks wrap
                    self._look_at_heap(late_ms < _LATE_MS)
                if ticks % _DAY_TICKS == _FIRST_TICKS and self.cloud:
                    borrow("iot.aws.rotation").look(self)
                    self.jobs.look()  # a notice that was lost shall freeze nobody
                name = self._done()
                if name:
                    await borrow("iot.deaths").of_task(self, name)

    def _look_at_heap(self, idle):
        """Collects garbage where that costs nothing, and ends an application that took too much.

        MicroPython gives it all it takes, if need be of ESP-IDF's heap: then nothing reaches the network.
        """
        if idle:
            if self.application:
                self.application.tidy()
            gc.collect()
        if self.heap and (memory.heap_free() < _HEAP_LEAST or memory.heap_total() > self.heap_total):
            borrow("iot.starving").settle(self, _HEAP_LEAST)

    async def _change(self):
        await borrow("iot.transitions").change(self)

    def _done(self):
        for name in self.tasks:
            if self.tasks[name].done():
                return name
        return None
