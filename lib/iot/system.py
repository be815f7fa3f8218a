"""The state machine: the only module that knows all its peers. It owns every task."""

import asyncio
import binascii
import gc
import sys

import esp32
import machine
from micropython import const

from iot import modes
from iot.application import Application
from iot.backoff import Backoff
from iot.console import CommandError, Console
from iot.credentials import Credentials
from iot.events import NAMES, Events
from iot.flash import SIZE, Flash, Record
from iot.log import Log
from iot.modules import forget
from iot.store import Store
from iot.thing import Thing

_FOLDER = "certs"
_NAMESPACE = "iot"
_CONFIG_BYTES = const(2000)

_TICK_MS = const(100)
_WIFI_FIRST_MS = const(1000)
_WIFI_MOST_MS = const(60000)
_DEATH_MS = const(5000)
_PROMPT_MS = const(3600 * 1000)
_TRIES_TO_REPLACE = const(3)
# Bytes after which garbage is collected, before the heap has to grow: what it takes from ESP-IDF it keeps.
_GC_THRESHOLD = const(16384)

# In which modes a task runs; every other task is cancelled before the mode is entered.
_TASKS = {
    "console": (modes.CONFIG, modes.NORMAL, modes.OTA, modes.IDLE),
    "flash": (modes.CONFIG, modes.NORMAL, modes.OTA),
    "wifi": (modes.NORMAL, modes.OTA),
    "clock": (modes.NORMAL, modes.OTA),
    "cloud": (modes.NORMAL,),
    "application": (modes.NORMAL,),
}
# Cancelled also where a mode follows on itself: the certificate is a new one.
_RENEWED = ("cloud", "application")

# What the peers tell, but for the many: where and how it is logged.
_FACTS = {
    "mode": ("system", "mode {}"),
    "wifi_up": ("wifi", 'connected to "{ssid}" as {ip}, {rssi} dBm'),
    "wifi_down": ("wifi", "{}"),
    "clock_set": ("clock", "set by {}"),
    "cloud_up": ("cloud", "connected, session kept: {}"),
    "cloud_down": ("cloud", "disconnected: {}"),
    "provisioned": ("provisioning", 'this is thing "{}"'),
    "provisioning_failed": ("provisioning", "given up {}"),
    "certificate_refused": ("cloud", "the certificate is refused for good: {}"),
}
_TROUBLE = ("wifi_down", "cloud_down", "provisioning_failed", "certificate_refused")


class System:
    """Runs the device from power-on to reset.

    Args:
        settings: the module firmware/settings.py, or what has the same names.
    """

    def __init__(self, settings):
        self.settings = settings
        self._tasks = {}
        self._event = None
        self._reason = ""
        self._dead = False
        self._config = None
        self.wifi = None
        self.clock = None
        self.link = None
        self._nvs = None
        self.store = None
        self._application = None
        self._watchdog = None
        self._commands = None
        self._load_application = None
        self.mode = modes.INIT
        self.log = Log(settings.LOG_LEVEL)
        self.events = Events(self.log)
        self.flash = None
        self.device_id = ""

    def run(self, load_application):
        """Runs until the chip is reset. `load_application()` imports the application and returns its main.

        Ctrl-C ends it, with an hour for whoever typed it: after that the watchdog brings the device back.
        """
        self._load_application = load_application
        try:
            asyncio.run(self._run())
        except KeyboardInterrupt:
            if self._watchdog:
                self._watchdog = machine.WDT(timeout=_PROMPT_MS)  # it can be given time, but not be stopped
            self.log.warning("system", "stopped by Ctrl-C; restarts in an hour, or by machine.reset()")

    # What the application and the console ask for.

    def restart(self, reason):
        """Flushes writes, takes leave of the cloud and resets the chip."""
        self._reason = reason
        self._event = "restart"

    def factory_reset(self):
        """Erases the configuration and the thing's certificate, and restarts."""
        self._reason = "factory reset"
        self._event = "factory_reset"

    def configure(self, document):
        """Stores a validated configuration whole, then restarts with it. OSError where flash fails."""
        if self.store is None:
            raise CommandError("flash could not be initialised")
        self.store.save(document)
        self._reason = "new configuration"
        self._event = "committed"

    def rssi(self):
        """Wi-Fi signal strength in dBm, or None while there is no connection."""
        return self.wifi.rssi() if self.wifi else None

    async def status(self):
        """What `status` on the console shows; no secrets."""
        from iot import x509  # noqa: F401 (for status, which shall not hold the loop for both)

        await asyncio.sleep_ms(0)
        from iot import status

        await asyncio.sleep_ms(0)
        try:
            return status.of(self)
        finally:
            forget("iot.status")
            forget("iot.x509")

    async def command(self, name, argument):
        """Carries out a command of the console and returns the answer."""
        from iot import commands  # some KB of heap that nobody needs who is not at the console

        await asyncio.sleep_ms(0)
        pending = self._commands or commands.Commands(self)
        self._commands = None
        try:
            return await pending.run(name, argument)
        finally:
            if pending.pending:
                self._commands = pending
            else:
                forget("iot.commands")

    # The life of the system.

    async def _run(self):
        gc.threshold(_GC_THRESHOLD)
        self._watchdog = machine.WDT(timeout=self.settings.WATCHDOG_MS)
        unique = str(binascii.hexlify(machine.unique_id()), "ascii")
        self.device_id = self.settings.NAME_PREFIX + "-" + unique
        python = sys.implementation
        release = ".".join([str(number) for number in python.version[:3]])
        version = self.settings.VERSION
        self.log.info("system", "{} version {} on {} {}", self.device_id, version, python.name, release)
        event = self._init()
        while True:
            mode = modes.following(self.mode, event)
            await self._leave(mode)
            if mode == modes.RESTART:
                break
            await self._enter(mode, event)
            event = await self._supervise()
        await self._restart(event)

    def _init(self):
        """Initialises what every mode needs; returns the event that says where to go."""
        try:
            self._nvs = esp32.NVS(_NAMESPACE)
            self.flash = Flash(Record(self._nvs, "app", SIZE), self.log)
            self.store = Store(Record(self._nvs, "config", _CONFIG_BYTES), Credentials(_FOLDER))
            self._config = self.store.load()
            if self._config is None and self.settings.CONFIG is not None:
                from iot import config

                self.store.save(config.validate(self.settings.CONFIG))
                self._config = self.store.load()
        except (OSError, ValueError) as error:
            self.log.exception("system", "flash", error)
            return "part_failed"
        return "unconfigured" if self._config is None else "configured"

    async def _enter(self, mode, event):
        self.mode = mode
        self._tell("mode", mode)
        if "console" not in self._tasks:
            console = Console(asyncio.StreamReader(sys.stdin), print, self.command)
            self._start("console", console.run())
        if "flash" not in self._tasks and self.flash:
            self._start("flash", self.flash.run())
        if mode == modes.NORMAL:
            await self._enter_normal(event)

    async def _enter_normal(self, event):
        if "wifi" not in self._tasks:
            self._start_network()
            await asyncio.sleep_ms(0)  # the radio connects while the rest is loaded
        from iot.link import Link  # half of the library: not needed in any other mode

        self.link = Link(
            self._config["aws"],
            self.store,
            self.device_id,
            self.settings,
            self._ready,
            self.log,
            self._tell,
        )
        if event == "certificate_refused":
            self._start("cloud", self.link.provision(_TRIES_TO_REPLACE))
        elif self.link.open() is None:
            self._start("cloud", self.link.provision())
        else:
            self._start("cloud", self.link.run())
            self._application = Application(self._load_application, self._make_thing, self.log)
            self._start("application", self._application.run())

    def _start_network(self):
        import network

        from iot.clock import Clock
        from iot.wifi import Wifi

        wlan = network.WLAN(network.STA_IF)
        backoff = Backoff(_WIFI_FIRST_MS, _WIFI_MOST_MS)
        self.wifi = Wifi(wlan, self._config["wifi"], backoff, self.log, self._tell)
        hosts = self._config["time"]["ntp"]
        self.clock = Clock(machine.RTC(), self._nvs, hosts, self.settings.BUILT, self.log, self._tell)
        self.events.on("wifi_up", lambda detail: self.link.probe())
        self._start("wifi", self.wifi.run())
        self._start("clock", self._run_clock())

    async def _run_clock(self):
        await self._online()
        await self.clock.run()

    async def _online(self):
        while not self.wifi.ssid:
            await self.events.wait("wifi_up")

    async def _ready(self):
        """Returns when there is a network, and a clock by which certificates can be judged."""
        await self._online()
        await self.clock.ready()

    def _make_thing(self):
        return Thing(
            self.link.name,
            self.settings.VERSION,
            self.flash,
            self._config["app"],
            self.log,
            self.link.client,
            self.events,
            self,
        )

    # Tasks.

    def _start(self, name, coroutine):
        self._tasks[name] = asyncio.create_task(self._guard(name, coroutine))

    async def _guard(self, name, coroutine):
        try:
            await coroutine
        except Exception as error:  # whatever a task dies of, the supervisor has to know
            self._dead = True
            self.log.exception("system", name + " died", error)
            await asyncio.sleep_ms(_DEATH_MS)  # a fault that is there again at once shall not wear the chip
            self.restart(name + " died")

    async def _supervise(self):
        """Feeds the watchdog, while every task lives, until something happens; returns the event."""
        while self._event is None:
            if not self._dead:
                self._watchdog.feed()
            await asyncio.sleep_ms(_TICK_MS)
        event, self._event = self._event, None
        return event

    async def _leave(self, mode):
        """Ends every task that does not run in `mode`."""
        ending = [name for name in self._tasks if mode not in _TASKS[name] or name in _RENEWED]
        if "cloud" in ending:
            await self.link.close()
        for name in ending:
            self._tasks[name].cancel()
        for name in ending:
            try:
                await self._tasks.pop(name)
            except asyncio.CancelledError:
                pass  # it is what was asked for; the system's own task is cancelled by nobody
        if "application" in ending:
            self._application.close()

    async def _restart(self, event):
        self._watchdog.feed()
        self.log.info("system", "restarting: {}", self._reason)
        self.events.emit("restart", self._reason)
        try:
            if event == "factory_reset" and self.store:
                self.store.erase()
            if self.flash:
                await self.flash.flush()
        except OSError as error:
            self.log.error("flash", "{}", error)
        machine.reset()

    def _tell(self, event, detail=None):
        """Tells log, application and state machine about a fact."""
        if event in _FACTS:  # not so "published", which comes with every message
            area, text = _FACTS[event]
            tell = self.log.warning if event in _TROUBLE else self.log.info
            tell(area, text.format(**detail) if isinstance(detail, dict) else text.format(detail))
            if self._event is None and (self.mode, event) in modes.TABLE:
                self._reason = event
                self._event = event
        if event in NAMES:
            self.events.emit(event, detail)
