"""From one mode to the next: which tasks end, which parts are made, which tasks begin.

The only module that knows all parts. It is needed when the mode changes, and forgotten in between: so nothing
that stays may refer to a function of it, which would keep it all.
"""

import asyncio
import binascii
import gc
import os
import sys

import esp32
import machine
import micropython
import network
from micropython import const

from iot import memory, modes
from iot.memory import borrow, load

_NAMESPACE = const("iot")
_WIFI_FIRST_MS = const(1000)
_WIFI_MOST_MS = const(60000)
_COUNTS = const(("refused", "lost", "oversize", "unclaimed", "dropped"))

# Bytes of ESP-IDF's heap that MicroPython's leaves alone (docs/memory.md): for Wi-Fi with its buffers, and
# TLS in the handshake with RSA chains, or NimBLE; and with chains of ECDSA.
_RESERVED = const(97 * 1024)
_RESERVED_LIGHT = const(95 * 1024)


async def change(system):
    """Leaves the mode for the one to which `system.event` leads; in INIT, to which leads what is in flash."""
    if system.mode == modes.INIT:
        _settle(system, modes.INIT)
        system.event = await _init(system)
    event = system.event
    mode, besides = modes.following(system.mode, event)
    await _leave(system, modes.ROWS[mode][0] if mode in modes.ROWS else ())
    if mode == modes.RESTART:
        await _restart(system)
    _settle(system, mode)
    system.log.info("system", "mode {}", mode)
    system.tell("mode", mode)
    await _begin_always(system)
    if mode in _ENTER:
        await _ENTER[mode](system, besides)
    # What an ending part has told meanwhile counts only where it leads out of the new mode.
    if system.event == event or system.event not in system.turns:
        system.event = None


def _settle(system, mode):
    """From now on it is that mode, and what does not stay in it is forgotten."""
    system.mode, system.turns, system.lasting = mode, modes.turns(mode), modes.LASTING
    memory.stay(modes.staying(mode, system.stored and system.stored["cloud"]))


async def _init(system):
    """Initialises what every mode needs; returns the event that says where to go."""
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
        return "part_failed"
    try:
        system.nvs = esp32.NVS(_NAMESPACE)
        await load("iot.storage.user_bytes")
        from iot.storage.user_bytes import Flash

        system.flash = Flash(system.record, system.log)
        store = system.store()
        found = store.load()
        if found is None and settings.CONFIG is not None and "wifi" in settings.CONFIG:
            store.save(borrow("iot.config").validate(settings.CONFIG))
            found = store.load()
    except (OSError, ValueError) as error:
        system.log.exception("system", "flash", error)
        return "part_failed"
    if found is None:
        return "unconfigured"
    system.stored = store.stored
    try:
        os.stat(system.folder + "/update")
        if borrow("iot.ota.pending").is_due(system.folder, system.nvs):
            return "update_waits"
    except OSError:  # as at nearly every start: there is none
        pass
    # With CONFIG_MS 0 nobody could set it up there, nor would it ever go on.
    asked = settings.CONFIG_MS and await _setup_asked(system)
    return "setup_asked" if asked else "configured"


async def _setup_asked(system):
    """Whether the last life asked for CONFIG, or the button is held and that was not CONFIG itself."""
    rtc = borrow("iot.storage.rtc")
    asked = rtc.get("setup")
    if asked:
        rtc.set("setup", 0)
        return asked == 1
    pin = system.settings.BUTTON_PIN
    if pin is None:
        return False
    return await borrow("iot.probation").held(machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP))


async def _leave(system, staying):
    """Ends every task that is not among `staying`, or has to begin anew."""
    ending = [name for name in system.tasks if name not in staying or name in modes.RENEWED]
    if system.cloud:
        client = system.cloud.client
        await client.disconnect()  # takes leave of the broker, so that it sends no last will
        system.counts["lost"] += len(client.outbox)
        # A task of the application's may go on, and where it would write may be the next one's.
        client.outbox.view = memoryview(b"")
        system.cloud = system.jobs = None
    system.calm.set()
    if ending:
        await borrow("iot.endings").end(system, ending)
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
    except (OSError, MemoryError) as error:
        system.log.error("flash", "{}", error)
    _, besides = modes.following(system.mode, system.event)  # perhaps asked for while the mode was left
    if besides == modes.ERASE:
        try:
            system.store().erase()
            borrow("iot.probation").set_reached(system.nvs, False)
            borrow("iot.ota.pending").remove(system.folder)
            borrow("iot.ota.pending").forget(system.folder)
            system.log.info("system", "configuration and certificate are erased")
        except (OSError, ValueError, MemoryError) as error:
            system.log.error("flash", "configuration and certificate are not erased: {}", error)
    machine.reset()


async def _enter_config(system, _):
    """Sets up over Bluetooth LE; where nobody could come, the console is left."""
    settings = system.settings
    if not settings.CONFIG_MS:
        return
    _grow_heap(system)
    await load(*modes.STAYING["application"])
    module = borrow("iot.ble.config_mode")  # takes a second, in which nothing else runs yet
    _make_thing(system, "setup", system.device_id, {}, module.NoCloud())
    parts = module.ConfigMode(
        system.device_id, settings, system.nvs, system.store, system.stored is not None, system.thing.ble,
        system.log, system.tell, system.turn,
    )  # fmt: skip
    if parts.prepare():
        system.setup = parts.setup
        _begin(system, setup=parts.setup.run(), packets=parts.send_packets(), ble=parts.serve())
        _begin(system, application=system.application.run())
    else:
        _begin(system, ble=parts.go_back())


async def _enter_normal(system, besides):
    config, kind = system.stored["config"], system.stored["cloud"]
    settings = system.settings
    gc.collect()  # else the heap, nearly full until it gets its last size, may double for what comes now
    # Before all else: above the many small things, they would part what is free there.
    sizes = settings.OUTBOX_BYTES, settings.PACKET_LIMIT
    system.buffers = system.buffers or borrow("iot.bt_memory").take(system.flash, *sizes)
    buffers = system.buffers or (None if besides else [bytearray(size) for size in sizes])
    if "wifi" not in system.tasks:
        _grow_heap(system, _RESERVED_LIGHT if system.stored["light"] else _RESERVED)
        await load(*modes.STAYING["wifi"])
        await load(*modes.STAYING["clock"])
        _start_network(system, config)
        await asyncio.sleep_ms(0)  # the radio connects while the rest is loaded
        _begin(system, probation=borrow("iot.probation").watch(system))
        config = {kind: config[kind], "app": config["app"]}  # what else there is, has its owner
        system.stored = {"set": system.stored["set"], "cloud": kind, "config": config}
    thing = None if besides else system.store().thing()
    buffers = thing and buffers
    if thing is None:
        await load(*modes.STAYING["claim"])
        _begin(system, claim=_entry(kind).claim(system, kind, besides))
    else:
        await load(*modes.staying_of("cloud", kind))
        await load(*modes.staying_of("jobs", kind))
        await load(*modes.STAYING["application"])
        system.cloud, system.jobs = _entry(kind).make(system, kind, thing[0], buffers)
        _make_thing(system, "main", system.cloud.name, config["app"], system.cloud.client)
        _begin(system, cloud=system.cloud.run(), jobs=system.jobs.run(), application=system.application.run())
        if "trial" not in system.tasks and _is_on_trial(system):
            _begin(system, trial=borrow("iot.ota.trial").run(system))
        if system.settings.REPORTS and kind == "aws":
            reports = borrow("iot.aws.reports")
            wants, client = system.settings.REPORTS, system.cloud.client
            _begin(system, reports=reports.Reports(wants, thing[0], client, system).run())
            if "log" in wants:
                _begin(system, log_lines=borrow("iot.aws.log_lines").LogLines(system).run())


def _is_on_trial(system):
    """Whether a version of the firmware is, or an image."""
    if getattr(sys.modules.get("pack"), "slot", 0) > 3:
        return True
    try:
        return borrow("iot.storage.nvs").get_i32(system.nvs, "image")  # iot.ota.partitions has more of it
    except OSError:  # a flash that fails must not end what works without it
        return False


async def _enter_ota(system, _):
    _grow_heap(system)
    await load(*modes.STAYING["wifi"])
    await load(*modes.STAYING["clock"])
    await load(*modes.STAYING["update"])  # before the radio takes its memory
    from iot.ota.update import Update

    nvs, settings, log = system.nvs, system.settings, system.log
    update = Update(system.folder, nvs, settings, log, system.store, system.turn, system.service)
    if await update.check():
        _start_network(system, system.stored["config"])
        _begin(system, update=update.run(system.clock.ready))


async def _enter_idle(system, _):
    _grow_heap(system)
    try:
        await load(*modes.STAYING["rescue"])
        from iot.rescue.life import serve

        _begin(system, rescue=serve(system))
    except Exception as error:  # e.g. no umqtt in the image: the console is to stay
        system.log.exception("rescue", "none", error)


_ENTER = {"CONFIG": _enter_config, "NORMAL": _enter_normal, "OTA": _enter_ota, "IDLE": _enter_idle}


def _begin(system, **coroutines):
    for name, coroutine in coroutines.items():
        system.tasks[name] = asyncio.create_task(coroutine)


async def _begin_always(system):
    """What runs in every mode."""
    if "console" not in system.tasks:
        await load(*modes.STAYING["console"])
        from iot.console import lines

        # Improv's packets have Ctrl-C among their bytes: where they bring Wi-Fi the console tells them apart.
        micropython.kbd_intr(-1 if system.mode == modes.CONFIG else 3)
        stdin = asyncio.StreamReader(sys.stdin.buffer)
        _begin(system, console=lines.run(stdin, sys.stdout.write, system.command))
    if "flash" not in system.tasks and system.flash:
        _begin(system, flash=system.flash.run())


def _grow_heap(system, reserved=_RESERVED):
    """Before a radio is on, and once in a life."""
    heap = borrow("iot.heap")
    system.heap, total = heap.grow(reserved), memory.heap_total()
    system.heap_total = heap.most(total)
    if system.heap_total < total:
        system.heap = True  # the next look at the heap sees that it is too large, and has the chip restart


def _start_network(system, config):
    from iot.backoff import Backoff
    from iot.clock.keeper import Clock
    from iot.wifi.station import Wifi

    log, tell = system.log, system.tell
    system.counts = dict.fromkeys(_COUNTS, 0)
    wlan = network.WLAN(network.STA_IF)
    system.wifi = Wifi(wlan, config["wifi"], Backoff(_WIFI_FIRST_MS, _WIFI_MOST_MS), log, tell)
    online, built = system.wifi.connected, system.settings.BUILT
    system.clock = Clock(config["time"]["ntp"], built, system.nvs, online, log, tell)
    _begin(system, wifi=system.wifi.run(), clock=system.clock.run())


def _entry(kind):
    """What makes the parts that are a cloud's, of the section of that name."""
    return borrow("iot.aws.entry") if kind == "aws" else borrow("iot.clouds.entry")


def _make_thing(system, function, name, config, client):
    """Makes the thing and the application, of which `function` is run."""
    from iot.application import Application
    from iot.thing import Thing

    system.thing = thing = Thing(
        name,
        system.settings.VERSION,
        system.mode,
        config,
        system.flash,
        system.log,
        system.events,
        client,
        system.wifi,
        system.turn,
        system.jobs,
        system.service,
    )
    system.application = Application(system.load_application, function, thing, system.log)
