"""The firmware under observation: main.py's work with watches on it, and another application."""

import asyncio
import builtins
import gc
import json
import sys
import time

import esp32
from holds import Holds

_PUBACK_MS = 300_000
_RESERVED = 92 * 1024  # as in iot.transitions, for a chain of ECDSA
_PAYLOAD = '{"temperature": 21.5, "humidity": 48.0, "uptime": 123456, "rssi": -61}'


# What runs in the loop, under names that tell more than those of its tasks: by module, the owner ("" is the
# module itself), the function there, and the place.
WATCHED = {
    "iot.application": (("Application", "run", "application"),),
    "iot.clock.keeper": (("Clock", "run", "clock"),),
    "iot.console.lines": (("", "run", "console"),),
    "iot.storage.user_bytes": (("Flash", "run", "flash"),),
    "iot.aws.cloud": (("Cloud", "run", "link"),),
    "iot.wifi.join": (("", "join", "Wi-Fi"),),
    "iot.mqtt.client": (("Client", "connect", "MQTT connect"),),
    "iot.mqtt.connection": (
        ("Connection", "_read", "MQTT reader"),
        ("Connection", "_write", "MQTT writer"),
        ("Connection", "_watch", "MQTT deadlines"),
    ),
    "iot.mqtt.handshake": (("", "_greet", "TLS handshake"),),
    "iot.trust": (("", "context", "TLS context"),),
    "iot.wifi.station": (("Wifi", "run", "Wi-Fi"),),
}


class Imports:
    """Takes the place of __import__: `own_ms` has each module's time without that of what it imports.

    holds: a Holds. found: called with the name of each module that was imported.
    """

    def __init__(self, holds, found):
        # A relative import does not work through a function of another module: asyncio's happen now.
        for name in asyncio._attrs:
            getattr(asyncio, name)
        self.own_ms = {}
        self._holds = holds
        self._found = found
        self._inner_us = 0
        self._import = builtins.__import__
        builtins.__import__ = self

    def __call__(self, name, *rest):
        if name in sys.modules:
            return self._import(name, *rest)
        outer_us, self._inner_us = self._inner_us, 0
        load = self._holds.call("import " + name, self._import) if self._holds.depth else self._import
        start_us = time.ticks_us()
        try:
            result = load(name, *rest)
        finally:
            us = time.ticks_diff(time.ticks_us(), start_us)
            self.own_ms[name] = self.own_ms.get(name, 0) + (us - self._inner_us) / 1000
            self._inner_us = outer_us + us
        self._found(name)
        return result


class Trial:
    """What is measured, and the application: it does what messages on cmd/NAME ask for.

    watchdog_ms: instead of the settings' time.
    names: by module, what is called by another name there than in its source (tools/board/private.py).
    """

    def __init__(self, watchdog_ms=None, names=None):
        self._start_ms = time.ticks_ms()
        self._watchdog_ms = watchdog_ms
        self._names = names or {}
        self._reached = {}
        self._holds = Holds()
        self._imports = self._heap = None

    def run(self):
        """Run the board's own main.py, until the chip is reset or Ctrl-C comes."""
        # With this program in it, the heap would double before the System has it grow to its size.
        self._heap = __import__("iot.heap").heap.grow(_RESERVED)
        self._imports = Imports(self._holds, self._found)
        create_task = asyncio.create_task
        asyncio.create_task = asyncio.core.create_task = lambda coroutine: create_task(
            self._holds.steps("system", coroutine)
        )
        asyncio.open_connection = self._holds.coroutine("TLS connect", asyncio.open_connection)
        __import__("main")

    def _found(self, module):
        """Have what a module brings into the loop timed."""
        there = self._names.get(module, {})
        for class_name, function, place in WATCHED.get(module, ()):
            owner, name = sys.modules[module], there.get(function, function)
            if class_name:
                owner = getattr(owner, there.get(class_name, class_name))
            timed = self._holds.call if function == "context" else self._holds.coroutine
            setattr(owner, name, timed(place, getattr(owner, name)))
        if module == "iot.system":
            system = sys.modules[module].System
            run = system.run
            system.run = lambda system, load_application: self._run(system, run, load_application)

    def _run(self, system, run, load_application):
        self._mark("imported_ms")
        for event, name in (("wifi_up", "wifi_ms"), ("clock_set", "clock_ms"), ("cloud_up", "connected_ms")):
            system.events.on(event, lambda detail, name=name: self._mark(name))
        system.events.on("clock_set", self._clock_set)
        if self._watchdog_ms:
            sys.modules["firmware.settings"].WATCHDOG_MS = self._watchdog_ms
        run(system, lambda: load_application() and self)

    def _mark(self, name):
        if name not in self._reached:
            self._reached[name] = time.ticks_diff(time.ticks_ms(), self._start_ms)

    def _clock_set(self, how):
        self._reached["clock"] = how

    async def main(self, thing):
        """The application: tells what has happened so far, then does what it is told."""
        if not await thing.publish("telemetry/" + thing.name, _PAYLOAD, qos=1).wait(_PUBACK_MS):
            raise OSError("no PUBACK")
        self._mark("puback_ms")
        _tell("started", {"start": self._reached, "imports_ms": self._imports.own_ms})
        async for _, payload in thing.subscribe("cmd/" + thing.name):
            name, _, count = str(payload, "utf-8").partition(" ")
            _tell(name, await getattr(self, name)(thing, int(count or 0)))

    # What can be asked for, with a count where it takes one.

    async def rates(self, thing, count):
        """Messages a second, by `count` of them."""
        return {"QoS 0": await _rate(thing, 0, count), "QoS 1": await _rate(thing, 1, count)}

    async def burst(self, thing, count):
        """Publish more than the outbox holds, as fast as it takes them."""
        for number in range(count):
            while not thing.publish("telemetry/" + thing.name, {"burst": number}, qos=1):
                await asyncio.sleep_ms(10)
            if number == count // 3:
                _tell("under_way", number)
        return count

    async def wifi(self, thing, count):
        """Lose the network, as where the access point goes away."""
        import network

        network.WLAN(network.STA_IF).disconnect()

    async def memory(self, thing, count):
        """What is free, garbage apart."""
        return memory()

    async def held(self, thing, count):
        """The longest holds in milliseconds."""
        return {place: us / 1000 for place, us in self._holds.longest_us.items()}

    async def writes(self, thing, count):
        """Write the numbers up to `count`, and restart before any of it can be in flash."""
        for value in range(count + 1):
            thing.flash.write(0, value.to_bytes(2, "big"))
        thing.restart("writes are pending")

    async def hang(self, thing, count):
        """What only the watchdog ends."""
        _tell("hanging", None)
        while True:
            pass


def memory():
    """Bytes free in the GC heap after a collection, and in ESP-IDF's largest block."""
    gc.collect()
    largest = max([region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])
    return {"heap_free": gc.mem_free() - largest, "idf_largest": largest}


async def _rate(thing, qos, count):
    """Messages of `qos` a second, until the last, which is of QoS 1, is acknowledged."""
    start_ms = time.ticks_ms()
    for number in range(count):
        last = number == count - 1
        while not (receipt := thing.publish("telemetry/" + thing.name, _PAYLOAD, qos=1 if last else qos)):
            await asyncio.sleep_ms(1)
    if not await receipt.wait(_PUBACK_MS):
        raise OSError("no PUBACK")
    return count * 1000 / time.ticks_diff(time.ticks_ms(), start_ms)


def _tell(name, answer):
    print("trial: " + name + " " + json.dumps(answer))
