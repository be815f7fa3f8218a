"""The console's short commands, in memory while one is carried out. Nothing here gives a secret back."""

import os

from micropython import const

from iot.memory import borrow

_TWICE_MS = const(30000)


def run(system, name, argument):
    """Carries a command out; returns the answer, or raises ValueError, OSError or MemoryError."""
    handlers = {
        "help": _help,
        "mode": _mode,
        "code": _code,
        "log": _log,
        "time": _time,
        "restart": _restart,
        "factory-reset": _factory_reset,
    }
    if name not in handlers:
        raise ValueError("no such command; help lists them")
    return handlers[name](system, argument)


def _help(system, argument):
    return (
        "help | status | mode | code | wifi | log LEVEL | restart | factory-reset | time SECONDS"
        " | configure begin | configure data PIECE | configure commit [BYTES CRC32]"
    )


def _mode(system, argument):
    return system.mode


def _code(system, argument):
    """For the label; who types on the console may see it."""
    if system.nvs is None:
        raise OSError("flash could not be initialised")
    identity = borrow("iot.identity")
    return (
        identity.shown(identity.code(system.nvs, system.settings.SETUP_CODE, os.urandom))
        + " "
        + system.device_id
    )


def _log(system, argument):
    system.log.set_level(argument)
    return "log level " + argument


def _time(system, argument):
    """For a device that reaches no time server: what a computer's clock says, as an estimate."""
    if not argument.isdigit():
        raise ValueError("time SECONDS: since 1970, UTC")
    settings, adjust = system.settings, borrow("iot.clock.adjust")
    if adjust.tell(int(argument), settings.BUILT, system.nvs, system.clock):
        return "taken as an estimate"
    return "not taken, the cloud was reached with the time there is"


def _restart(system, argument):
    system.restart("asked on the console")
    return "restarting"


def _factory_reset(system, argument):
    now_ms, asked_ms = system.log.uptime_ms(), system.asked_ms
    if argument not in ("", "--yes"):
        raise ValueError("factory-reset, or factory-reset --yes")
    if not argument and (asked_ms is None or now_ms - asked_ms > _TWICE_MS):
        system.asked_ms = now_ms
        text = "this erases configuration and certificate: type it again within {} s, or factory-reset --yes"
        raise ValueError(text.format(_TWICE_MS // 1000))
    system.turn("factory_reset", "factory reset")
    return "erasing configuration and certificate, then restarting"
