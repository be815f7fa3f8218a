"""The console's short commands, in memory while one is carried out. Nothing here gives a secret back."""

import os

from iot.modules import forget


def run(system, name, argument):
    """Carries a command out; returns the answer, or raises ValueError, OSError or MemoryError."""
    handlers = {
        "help": _help,
        "mode": _mode,
        "code": _code,
        "log": _log,
        "restart": _restart,
        "factory-reset": _factory_reset,
    }
    if name not in handlers:
        raise ValueError("no such command; help lists them")
    return handlers[name](system, argument)


def _help(system, argument):
    return (
        "help | status | mode | code | wifi | log LEVEL | restart | factory-reset"
        " | configure begin | configure data PIECE | configure commit [BYTES CRC32]"
    )


def _mode(system, argument):
    return system.mode


def _code(system, argument):
    """For the label; who types on the console may see it."""
    if system.nvs is None:
        raise OSError("flash could not be initialised")
    from iot import label

    forget("iot.label")
    return (
        label.shown(label.code(system.nvs, system.settings.SETUP_CODE, os.urandom)) + " " + system.device_id
    )


def _log(system, argument):
    system.log.set_level(argument)
    return "log level " + argument


def _restart(system, argument):
    system.restart("asked on the console")
    return "restarting"


def _factory_reset(system, argument):
    system.factory_reset()
    return "configuration and certificate erased, restarting"
