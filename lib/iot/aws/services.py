"""Makes the services that the application asks for. Imported for the moment and forgotten."""

import sys

from iot.memory import keep


def make(system, kind):
    """The thing's service of this kind, "shadow" or "commands", whose module stays from now on."""
    name = "iot.aws." + kind
    keep(name)
    thing = system.thing
    return sys.modules[name].make(thing.name, system.jobs, thing.run, thing.on, thing.log)
