"""Makes the services that the application asks for. Imported for the moment and forgotten."""

import sys

from iot.memory import borrow, keep


def make(system, kind):
    """The thing's service of this kind: "shadow" or "commands", which stay from now on, "packets" or "https".

    "line" is a Line to AWS, for the mode OTA; its code stays until that is closed.
    """
    if kind == "line":
        keep(*borrow("iot.modes").STAYING["claim"])
        return borrow("iot.aws.line").Line(system)
    if kind == "packets":
        return borrow("iot.ble.packets").Packets(system.log)
    if kind == "https":
        return borrow("iot.work.aside").Aside(system).https
    name = ("iot.aws." if system.stored["cloud"] == "aws" else "iot.clouds.") + kind
    keep(name)
    thing = system.thing
    return sys.modules[name].make(thing.name, system.jobs, thing.run, thing.on, thing.log)
