"""The lifeline of a device whose version does not start, dies again and again, or is left in mode IDLE.

It joins Wi-Fi, connects as the thing and does the jobs that help: OTA, reboot, factory-reset, status. After
an hour the version is tried once more. docs/updates.md, The rescue
"""

import asyncio
import gc
import os
import sys
import time

import esp32
import machine
from micropython import const

from iot.rescue import link
from iot.rescue.jobs import Jobs
from iot.rescue.needs import Broken, need

_FOLDER = const("/certs")
_CONFIG_BYTES = const(2000)
_DEATHS = const(6)  # after which main.py comes here: iot.deaths counts them
_WATCHDOG_MS = const(120000)
_PROMPT_MS = const(3600 * 1000)
_LIFE_MS = const(3600 * 1000)
_FIRST_MS = const(2000)
_MOST_MS = const(300000)
_WAIT_MS = const(500)
_RESERVED = const(97 * 1024)  # docs/memory.md


def run(load_settings, why=None):
    """Helps until the chip is reset; returns where it cannot, which is told.

    Args:
        load_settings: imports firmware/settings.py, and returns it.
        why: what has ended main.py; None: the version has died so often.
    """
    slot = getattr(sys.modules.get("pack"), "slot", 0)
    if slot >> 2 and slot & 3 == slot >> 2:
        link.tell("a version on trial: the launcher goes back to the one before")
        return
    for name in tuple(sys.modules):  # what has died may hold memory
        if name.startswith(("iot.", "firmware.")) and not name.startswith("iot.rescue"):
            del sys.modules[name]
    asyncio.new_event_loop()  # so may its tasks
    gc.collect()
    try:
        watchdog = machine.WDT(timeout=_WATCHDOG_MS)
        asyncio.run(_help(load_settings, watchdog.feed, why))
    except KeyboardInterrupt:
        machine.WDT(timeout=_PROMPT_MS)  # it can be given time, but not be stopped
        raise


async def _help(load_settings, feed, why):
    rescue = Rescue(load_settings, feed, why)
    if why is None and not need("iot.storage.nvs").get_i32(rescue.space, "reached"):
        link.tell("this configuration has never led to a cloud")
    elif _is_image_on_trial(rescue.space):
        link.tell("an image on trial: the bootloader goes back to the one before")
    elif rescue.configured():
        heap = _grow()
        await rescue.run()
        del heap


def _is_image_on_trial(space):
    try:
        partitions = need("iot.ota.partitions")
        label = partitions.on_trial(space)
        return bool(label) and label == partitions.running()
    except Exception as error:  # it may be what is broken
        link.tell("{}: {}", type(error).__name__, error)
        return False


def _grow():
    """Gives the heap its last size, before a radio is on; what is returned keeps it so."""
    try:
        return need("iot.heap").grow(_RESERVED)
    except Broken as error:  # with the size that it has it may do, too
        link.tell("{}", error)
        return None


async def serve(system):
    """The same in mode IDLE, beside its console; returns where it cannot help."""
    try:
        why = "a part could not be initialised"
        rescue = Rescue(lambda: system.settings, system.watchdog.feed, why)
        if rescue.configured():
            await rescue.run()
    except Exception as error:  # the console is to stay
        link.tell("{}: {}", type(error).__name__, error)


class Rescue:
    """One life of it.

    Attributes:
        space: the esp32.NVS with all that is kept.
        why: what has led here.
    """

    def __init__(self, load_settings, feed, why):
        self._load_settings = load_settings
        self.space = esp32.NVS("iot")
        self.why = why or "this version has died {} times in a row".format(_DEATHS)
        self.feed = feed
        self._start_ms = time.ticks_ms()
        self._pause_ms = _FIRST_MS
        self._config = self._thing = self._root_ca = None

    def configured(self):
        """Whether there is all that a connection needs."""
        try:
            store = self.store()
            self._config = store.load()
            self._thing = self._config and store.thing()
            if self._thing and "aws" not in self._config:
                self._thing = None
                link.tell("the rescue speaks to AWS IoT alone, and this device is another cloud's")
                return False
            self._root_ca = self._thing and store.certificates()["root_ca"]
        except OSError as error:
            link.tell("flash: {}", error)
        if not self._thing:
            link.tell("no configuration, or no certificate of a thing: nothing can be reached")
        return bool(self._thing)

    async def run(self):
        """Helps for an hour, then restarts."""
        link.tell("{}", self.why)
        jobs = Jobs(self, self._thing[0], self._root_ca)
        while not self.is_over():
            connection = None
            try:
                await self._online()
                name, certificate, key = self._thing
                trusted = link.context(self._root_ca, certificate, key)
                connection = link.Connection(name, self._config["aws"], trusted, jobs.topics, self.feed)
                del trusted
                connection.open()
                link.tell("connected as {}", name)
                self.connected()
                await jobs.run(connection)
            except Exception as error:  # of umqtt.simple there are many
                link.tell("tries again: {}: {}", type(error).__name__, error)
            finally:
                if connection:
                    connection.leave()
                connection = None
                gc.collect()
            await jobs.work()
            await self._wait()
        self.leave("has the version tried again")

    def is_over(self):
        """Whether an hour has passed."""
        return time.ticks_diff(time.ticks_ms(), self._start_ms) > _LIFE_MS

    def settings(self):
        """The module firmware/settings.py; Broken where it cannot be imported."""
        try:
            return self._load_settings()
        except Exception as error:  # whatever a broken module raises
            raise Broken("firmware.settings", error)

    def store(self):
        """A Store, as a System's."""
        need("iot.memory", "iot.storage.nvs", "iot.storage.schema")
        record = need("iot.storage.record").Record(self.space, "config", _CONFIG_BYTES)
        module = need("iot.storage.store")
        return module.Store(record, module.Credentials(_FOLDER))

    def give_way(self, error):
        """Has the factory's version start in place of an update that cannot even be helped."""
        slot = getattr(sys.modules.get("pack"), "slot", 0) & 3
        if slot:
            link.tell("{}; the factory's version takes its place", error)
            os.remove(("/a/manifest", "/b/manifest")[slot - 1])
            machine.reset()

    def leave(self, why, deaths=_DEATHS - 1):
        """Restarts the chip; one more death leads back here where `deaths` is not told otherwise."""
        link.tell("{}; restarting", why)
        try:
            rtc = need("iot.storage.rtc")
            rtc.set("died", min(rtc.get("died"), deaths))
        except Broken as error:
            link.tell("{}", error)
        machine.reset()

    def connected(self):
        """The next try comes soon."""
        self._pause_ms = _FIRST_MS

    async def _online(self):
        """Wi-Fi, and a time by which certificates are judged."""
        self.feed()
        if not await link.join(self._config["wifi"], self.feed):
            raise OSError("no network lets the device in")
        link.set_clock(self._config["time"]["ntp"], self._least_s(), self.feed)

    def _least_s(self):
        """The latest time that is known to have passed."""
        try:
            built = self.settings().BUILT
            built_s = time.mktime(tuple(built) + (0, 0, 0, 0, 0, 0))
        except Exception:  # it may be what is broken
            built_s = 0
        return max(built_s, need("iot.storage.nvs").get_i32(self.space, "last_time"))

    async def _wait(self):
        """Pauses that grow, with chance in them: a cloud that was away shall not be asked by all at once."""
        left_ms = self._pause_ms * (128 + os.urandom(1)[0]) // 256
        self._pause_ms = min(2 * self._pause_ms, _MOST_MS)
        while left_ms > 0:
            self.feed()
            await asyncio.sleep_ms(min(left_ms, _WAIT_MS))
            left_ms -= _WAIT_MS
