"""A new configuration by a job, on trial. Imported for the moment and forgotten."""

import asyncio

from iot.memory import borrow


def begin(system, given):
    """Has a changed configuration stored, on trial from the next start on; the device restarts, whatever
    comes of it: it takes the memory of the connection and of the application.

    Args:
        system: the System, in mode NORMAL.
        given: sections of a configuration (docs/configuration.md), each in place of the one there is. Of
            its cloud's it has the members that change. None takes a section or a member away.
    """
    system.tasks["configure"] = asyncio.create_task(_run(system, given))


async def _run(system, given):
    probation = borrow("iot.probation")
    try:
        await probation.make_room(system)
        store = system.store()
        document = borrow("iot.config").validate(merged(store.load(), store.certificates(), given))
        probation.replace(system.nvs, store, document, True)
    except (OSError, ValueError, MemoryError) as error:
        why = str(error) or "no memory"
        system.restart("the new configuration was refused, the old one stays: " + why)
        probation.keep_reason(system.nvs, why)
    else:
        system.stored = None
        system.turn("committed", "new configuration, on trial")


def merged(plain, certificates, given):
    """The configuration that `given` makes of the one there is.

    Args:
        plain: as iot.config gives it, without certificates and keys.
        certificates: those, in DER.
        given: see `begin`.
    """
    document = dict(plain)
    cloud = borrow("iot.storage.schema").cloud(plain)
    document[cloud] = section = dict(plain[cloud])
    section.update(certificates)
    for name, value in given.items():
        if name == cloud and isinstance(value, dict):
            _change(section, value)
        else:
            _change(document, {name: value})
    return document


def _change(members, given):
    for name, value in given.items():
        if value is None:
            members.pop(name, None)
        else:
            members[name] = value
