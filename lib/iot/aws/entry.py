"""Makes what the mode NORMAL has of AWS IoT. Imported for the moment and forgotten."""

import asyncio

from micropython import const

from iot import modes
from iot.memory import borrow

_TRIES_TO_REPLACE = const(3)


def make(system, kind, name, buffers):
    """The Cloud and the Jobs of the thing.

    Args:
        kind: the configuration's section.
        name: the thing's.
        buffers: of the outbox and of what comes in.
    """
    from iot.aws.cloud import Cloud
    from iot.aws.jobs import Jobs
    from iot.mqtt.packet import Framer
    from iot.mqtt.queues import Inbox, Outbox

    settings, aws = system.settings, system.stored["config"][kind]
    cloud = Cloud(
        name,
        aws,
        system.store,
        settings.REFUSALS_FOR_GOOD if "template" in aws else None,
        system.log,
        system.tell,
        system.clock.ready,
        Outbox(settings.OUTBOX_BYTES, settings.WINDOW, system.counts, buffers[0]),
        Inbox(Framer(settings.PACKET_LIMIT, buffers[1]), system.counts),
        settings.KEEP_ALIVE_S,
    )
    if "aws.greengrass"[4:] in aws:  # ten letters alone are a name, which stays for ever
        cores = borrow("iot.aws.greengrass").make(system, cloud)
        system.tasks["aws"] = asyncio.create_task(cores)
    return cloud, Jobs(name, cloud.client, system)


def claim(system, kind, besides):
    """The coroutine that earns the thing's certificate: the first, or one in place of that."""
    claim = borrow("iot.aws.claim").Claim(
        system.stored["config"][kind],
        system.store,
        system.device_id,
        system.clock.ready,
        system.counts,
        system.log,
        besides == modes.ROTATE,
        system.buffers,
    )
    return claim.run(_TRIES_TO_REPLACE if besides else None, system.tell)
