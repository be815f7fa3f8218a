"""Makes what the mode NORMAL has of a cloud other than AWS. Imported for the moment and forgotten."""

from micropython import const

from iot.memory import borrow

_TRIES_TO_REPLACE = const(3)


def make(system, kind, name, buffers):
    """The Cloud and the Jobs of the thing.

    Args:
        kind: the configuration's section.
        name: the thing's; "{id}" in it is the device's own.
        buffers: of the outbox and of what comes in.
    """
    from iot import tls
    from iot.clouds.cloud import Cloud, CloudClient
    from iot.clouds.jobs import Jobs
    from iot.mqtt.packet import Framer
    from iot.mqtt.queues import Inbox, Outbox

    settings, section, store = system.settings, system.stored["config"][kind], system.store
    name = name.replace("{id}", system.device_id)
    profile = "iot." + ("broker" if kind == "mqtt" else kind) + ".profile"
    hub = store().hub()
    if hub:
        section = dict(section, endpoint=hub)
    way = borrow(profile).way(section, name, hub)
    cloud = Cloud(section, name, profile, store, system.log, system.tell)
    cloud.wraps = way.get("wraps", False)
    cloud.refusals = settings.REFUSALS_FOR_GOOD if hub else 0
    if way.get("whole"):
        cloud.whole = borrow("iot.clouds.whole").new()
    cloud.opener = tls.Opener(way["host"], section["port"], cloud.credentials)
    inbox = Inbox(Framer(settings.PACKET_LIMIT, buffers[1]), system.counts)
    cloud.client = client = CloudClient(
        cloud,
        way["client_id"],
        cloud.opener.open,
        Outbox(settings.OUTBOX_BYTES, settings.WINDOW, system.counts, buffers[0]),
        inbox,
        system.log,
        cloud.on_client,
        system.clock.ready,
        way["keep_alive_s"],
    )
    client.is_starved = tls.is_starved
    client.telemetry, client.will, client.own = way["telemetry"], way.get("will"), way.get("inbox")
    cloud.heard = [inbox.subscribe(heard, qos, 1, cloud.put) for heard, qos in way["filters"]]
    if settings.REPORTS:
        system.log.warning("reports", "REPORTS of the settings go to AWS IoT alone")
    return cloud, Jobs(cloud, system)


def claim(system, kind, besides):
    """The coroutine by which the thing gets a name and a host (Azure's provisioning service), or others in
    place of those.
    """
    return borrow("iot." + kind + ".claim").run(system, _TRIES_TO_REPLACE if besides else None)
