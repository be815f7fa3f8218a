"""The commands of the console, in memory while one is carried out. Nothing here gives a secret back."""

import json
import os

from micropython import const

from iot.modules import forget, load

_DOCUMENT_MAX = const(16384)  # characters of a configuration with all its certificates


async def run(system, name, argument):
    """Carries a command out; returns the answer, or raises ValueError, OSError or MemoryError."""
    if name == "status":
        return json.dumps(await _status(system))
    if name == "wifi":
        status = await _status(system)
        return json.dumps({name: status[name] for name in ("wifi", "ip", "rssi", "networks")})
    handlers = {
        "help": _help,
        "mode": _mode,
        "code": _code,
        "log": _log,
        "configure": _configure,
        "restart": _restart,
        "factory-reset": _factory_reset,
    }
    if name not in handlers:
        raise ValueError("no such command; help lists them")
    return handlers[name](system, argument)


async def _status(system):
    if system.nvs:  # else nothing takes them out of memory again
        await load("iot.record", "iot.credentials", "iot.store")
    await load("iot.x509", "iot.status")
    from iot import status

    return status.of(system)


def _help(system, argument):
    return (
        "help | status | mode | code | wifi | log LEVEL | restart | factory-reset"
        " | configure begin | configure data PIECE | configure commit"
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


def _configure(system, argument):
    """A JSON document in pieces, since a line is short: begin, data, data, …, commit."""
    step, _, piece = argument.partition(" ")
    document = system.document
    if step == "begin":
        system.document = bytearray()
        return "0"
    if document is None:
        raise ValueError("configure begin comes first")
    if step == "data":
        if len(document) + len(piece) > _DOCUMENT_MAX:
            system.document = None
            raise ValueError("a configuration has at most {} bytes".format(_DOCUMENT_MAX))
        document.extend(piece.encode())
        return str(len(document))
    if step == "commit":
        from iot import config, fallback

        forget("iot.fallback")
        system.document = None
        document = config.parse(document)
        fallback.set_reached(system.nvs, False)
        system.store().save(document)
        system.committed()
        return "stored, restarting"
    raise ValueError("configure begin, data PIECE or commit")
