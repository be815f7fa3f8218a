"""What comes from a cloud other than AWS, and who gets it. Imported for the moment and forgotten."""

from iot.memory import borrow

_JOB = "job"  # the key of the state by which jobs come


def take(cloud, topic, payload):
    """Gives a message to the service that it is for.

    Args:
        cloud: the Cloud.
        payload: a view that lasts as long as the call, None for a message that was too large.
    """
    if payload is None:
        cloud.log.error("cloud", "{}: a message over the packet limit", topic)
        return
    found = borrow(cloud.profile).take(cloud.section, cloud.name, topic, bytes(payload))
    if not found:
        return
    kind, takers = found[0], cloud.takers
    if kind == "state":
        _, desired, reply = found
        if reply:
            cloud.client.post(*reply)
        job = desired.pop(_JOB, None)
        if "job" in takers:
            takers["job"](job)
        if desired and "state" in takers:
            takers["state"](desired)
    elif "command" in takers:
        takers["command"](*found[1:])
    else:
        answer = borrow(cloud.profile).answer(
            cloud.section, cloud.name, found[1], found[2], "REJECTED", "no commands here", None
        )
        if answer:
            cloud.client.post(*answer)
