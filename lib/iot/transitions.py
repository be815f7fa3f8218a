"""From one mode to the next: which tasks end, which parts are made, which tasks begin.

The only module that knows all parts. It is needed when the mode changes, and forgotten in between: so nothing
that stays may refer to a function of it, which would keep it all.
"""

import asyncio
import binascii
import sys

import esp32
import machine
from micropython import const

from iot import memory, modes
from iot.application import Application
from iot.console import lines
from iot.memory import borrow, forget, load
from iot.storage.user_bytes import Flash
from iot.thing import Thing

_NAMESPACE = const("iot")
_WIFI_FIRST_MS = const(1000)
_WIFI_MOST_MS = const(60000)
_TRIES_TO_REPLACE = const(3)
_COUNTS = const(("refused", "lost", "oversize", "unclaimed", "dropped"))

# Bytes of ESP-IDF's heap that MicroPython's leaves alone (docs/memory.md): for Wi-Fi with its buffers and TLS
# in the handshake with RSA chains; for Wi-Fi and NimBLE.
_RESERVED_NORMAL = const(100 * 1024)
_RESERVED_CONFIG = const(100 * 1024)

# In which modes a task runs; every other task is cancelled before the mode is entered.
_TASKS = {
    "console": (modes.CONFIG, modes.NORMAL, modes.OTA, modes.IDLE),
    "flash": (modes.CONFIG, modes.NORMAL, modes.OTA),
    "wifi": (modes.NORMAL, modes.OTA),
    "clock": (modes.NORMAL, modes.OTA),
    "cloud": (modes.NORMAL,),
    "application": (modes.CONFIG, modes.NORMAL),
    "fallback": (modes.NORMAL,),
    "setup": (modes.CONFIG,),
    "packets": (modes.CONFIG,),
    "ble": (modes.CONFIG,),
}
# Cancelled also where a mode follows on itself: the certificate is a new one.
_RENEWED = const(("cloud", "application"))


async def change(system, event):
    """Leaves the mode for the one that follows on `event`. In INIT, what is found in flash is the event."""
    config = None
    if system.mode == modes.INIT:
        event, config = await _init(system)
    mode = modes.following(system.mode, event)
    await _leave(system, mode)
    if mode == modes.RESTART:
        await _restart(system)
    system.mode = mode
    system.log.info("system", "mode {}", mode)
    system.tell("mode", mode)
    tasks = system.tasks
    if "console" not in tasks:
        stdin = asyncio.StreamReader(sys.stdin.buffer)
        tasks["console"] = asyncio.create_task(lines.run(stdin, sys.stdout.write, system.command))
    if "flash" not in tasks and system.flash:
        tasks["flash"] = asyncio.create_task(system.flash.run())
    if mode == modes.NORMAL:
        await _enter_normal(system, event, config)
    elif mode == modes.CONFIG and system.settings.CONFIG_MS:
        _grow_heap(system, _RESERVED_CONFIG)
        from iot.ble import config_mode  # a second in which nothing else runs yet

        config_mode.enter(system, event == "setup_asked")


async def _init(system):
    """Initialises what every mode needs; returns the event that says where to go, and the configuration."""
    settings = system.settings
    address = machine.unique_id()
    wrong = None
    try:
        system.device_id = borrow("iot.identity").device_id(settings.NAME_PREFIX, address)
    except ValueError as error:
        system.device_id = str(binascii.hexlify(address), "ascii")
        wrong = str(error)
    python = sys.implementation
    release = ".".join([str(number) for number in python.version[:3]])
    system.log.info(
        "system", "{} version {} on {} {}", system.device_id, settings.VERSION, python.name, release
    )
    if wrong:  # nothing that has no name shall reach a cloud: the console is left, and says it again
        system.log.error("system", "firmware/settings.py: {}", wrong)
        return "part_failed", None
    try:
        system.nvs = esp32.NVS(_NAMESPACE)
        system.flash = Flash(system.record, system.log)
        store = system.store()
        found = store.load()
        if found is None and settings.CONFIG is not None:
            store.save(borrow("iot.config").validate(settings.CONFIG))
            found = store.load()
    except (OSError, ValueError) as error:
        system.log.exception("system", "flash", error)
        return "part_failed", None
    if found is None:
        return "unconfigured", None
    # With CONFIG_MS 0 nobody could set it up there, nor would it ever go on.
    asked = settings.CONFIG_MS and await _setup_asked(system)
    return "setup_asked" if asked else "configured", found


async def _setup_asked(system):
    """Whether the last life asked for CONFIG, or the button is held and that was not CONFIG itself."""
    from iot import probation
    from iot.storage import rtc

    forget("iot.probation", "iot.storage.rtc")
    asked = rtc.get("setup")
    if asked:
        rtc.set("setup", 0)
        return asked == 1
    pin = system.settings.BUTTON_PIN
    return pin is not None and await probation.held(machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP))


async def _leave(system, mode):
    """Ends every task that does not run in `mode`."""
    ending = [name for name in system.tasks if mode not in _TASKS[name] or name in _RENEWED]
    if system.cloud:
        client = system.cloud.client
        await client.disconnect()  # takes leave of the broker, so that it sends no last will
        system.counts["lost"] += len(client.outbox)
        system.cloud = None
    system.connecting = False
    for name in ending:
        system.tasks[name].cancel()
    for name in ending:
        await system.ended(name)
    if system.thing:
        system.thing.close()
        system.thing = None


async def _restart(system):
    system.watchdog.feed()
    system.log.info("system", "restarting: {}", system.reason)
    system.tell("restart", system.reason)
    try:
        if system.flash:
            await system.flash.flush()
    except (OSError, ValueError, MemoryError) as error:
        system.log.error("flash", "{}", error)
    if system.event == "factory_reset":  # perhaps asked for while the mode was left
        try:
            from iot import probation

            system.store().erase()
            probation.set_reached(system.nvs, False)
            system.log.info("system", "configuration and certificate are erased")
        except (OSError, ValueError, MemoryError) as error:
            system.log.error("flash", "configuration and certificate are not erased: {}", error)
    machine.reset()


async def _enter_normal(system, event, config):
    await load("iot.storage.record", "iot.storage.store")
    store = system.store()
    config = config or store.load()
    thing = None if event == "certificate_refused" else store.thing()
    if "wifi" not in system.tasks:
        _grow_heap(system, _RESERVED_NORMAL)
        await load("iot.backoff", "iot.clock.keeper", "iot.wifi.station", "iot.wifi.join")
        _start_network(system, config)  # the radio connects while the rest is loaded
    system.counts = system.counts or dict.fromkeys(_COUNTS, 0)
    await load("iot.tls", "iot.mqtt.packet", "iot.mqtt.queues", "iot.mqtt.connection", "iot.mqtt.client")
    if thing is None:
        await load("iot.aws.provisioning", "iot.aws.claim")
        cloud = _claim(system, config["aws"], _TRIES_TO_REPLACE if event == "certificate_refused" else None)
    else:
        await load("iot.aws.cloud")
        cloud = _connect(system, config, thing[0])
    system.tasks["cloud"] = asyncio.create_task(cloud)
    if system.thing:
        system.application = Application(system.load_application, "main", system.thing, system.log)
        system.tasks["application"] = asyncio.create_task(system.application.run())


def _grow_heap(system, reserved):
    """Before a radio is on, and once in a life."""
    system.heap = borrow("iot.heap").grow(reserved)
    system.heap_total = memory.heap_total()


def _start_network(system, config):
    import network

    from iot import probation
    from iot.backoff import Backoff
    from iot.clock.keeper import Clock
    from iot.wifi.station import Wifi

    forget("iot.probation")
    log, tell = system.log, system.tell
    wlan = network.WLAN(network.STA_IF)
    system.wifi = Wifi(wlan, config["wifi"], Backoff(_WIFI_FIRST_MS, _WIFI_MOST_MS), log, tell)
    online, built = system.wifi.connected, system.settings.BUILT
    system.clock = Clock(config["time"]["ntp"], built, system.nvs, online, log, tell)
    system.tasks["wifi"] = asyncio.create_task(system.wifi.run())
    system.tasks["clock"] = asyncio.create_task(system.clock.run())
    system.tasks["fallback"] = asyncio.create_task(probation.watch(system))


def _claim(system, aws, tries):
    """The coroutine that earns the thing's certificate with the claim's and stores it."""
    module = borrow("iot.aws.claim", "iot.aws.provisioning")  # once in a device's life
    claim = module.Claim(aws, system.store, system.device_id, system.clock.ready, system.counts, system.log)
    return claim.run(tries, system.tell)


def _connect(system, config, name):
    """Makes the thing; returns the coroutine that keeps it connected."""
    from iot.aws.cloud import Cloud  # half of the library: not needed in any other mode
    from iot.mqtt.packet import Framer
    from iot.mqtt.queues import Inbox, Outbox

    aws, settings = config["aws"], system.settings
    system.cloud = cloud = Cloud(
        name,
        aws,
        system.store,
        settings.REFUSALS_FOR_GOOD if "template" in aws else None,
        system.log,
        system.tell,
        system.clock.ready,
        Outbox(settings.OUTBOX_BYTES, settings.WINDOW, system.counts),
        Inbox(Framer(settings.PACKET_LIMIT), system.counts),
        settings.KEEP_ALIVE_S,
    )
    system.thing = Thing(
        name,
        settings.VERSION,
        system.flash,
        config["app"],
        system.log,
        cloud.client,
        system.events,
        system,
    )
    return cloud.run()
