"""Makes what the mode NORMAL has of a cloud other than AWS. Imported for the moment and forgotten."""

from iot.memory import borrow


def make(system, kind, name, buffers):
    """The Cloud and the Jobs of the thing.

    Args:
        kind: the configuration's section.
        name: the thing's; "{id}" in it is the device's own.
        buffers: of the outbox and of what comes in.
    """
    from iot.clouds.cloud import Cloud
    from iot.clouds.jobs import Jobs
    from iot.mqtt.packet import Framer
    from iot.mqtt.queues import Inbox, Outbox

    settings = system.settings
    cloud = Cloud(
        kind,
        system.stored["config"][kind],
        name.replace("{id}", system.device_id),
        system.store,
        system.log,
        system.tell,
        system.clock.ready,
        Outbox(settings.OUTBOX_BYTES, settings.WINDOW, system.counts, buffers[0]),
        Inbox(Framer(settings.PACKET_LIMIT, buffers[1]), system.counts),
    )
    if settings.REPORTS:
        system.log.warning("reports", "REPORTS of the settings go to AWS IoT alone")
    return cloud, Jobs(cloud, system)


def claim(system, kind, besides):
    """The coroutine by which the thing gets a name and a host (Azure's provisioning service)."""
    return borrow("iot." + kind + ".claim").run(system)
