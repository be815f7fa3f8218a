"""What comes from a cloud other than AWS, and who gets it. Imported for the moment and forgotten."""

from micropython import const

from iot.memory import borrow

_JOB = const("job")  # the key of the state by which jobs come
_MOST = const(4)  # commands at once
_REMEMBERED = const(8)  # executions: with QoS 1 one may come twice


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
        desired, reply = found[1:3]
        if reply and not cloud.client.post(*reply):
            borrow("iot.clouds.sending").look_later(cloud)
        job = desired.pop(_JOB, None)
        if "job" in takers and job is not None:  # not all of the state comes each time
            _offer(takers["job"], job)
        if desired and "state" in takers:
            _desire(takers["state"], desired, *found[3:])
    elif kind in ("refused", "again"):
        cloud.log.error("cloud", "{}", found[1])
        if kind == "again":
            borrow("iot.clouds.sending").look_later(cloud)
    elif "command" in takers:
        _command(takers["command"], *found[1:])
    else:
        borrow("iot.clouds.sending").answer(cloud, found[1:3], "REJECTED", "no commands here", None)


def _offer(jobs, offered):
    if offered != jobs.offered:
        jobs.offered = offered
        if jobs.job:
            jobs.job.changed()
        jobs.due.set()


def _desire(shadow, desired, is_part=False):
    """is_part: it was desired just now, and what else is desired stays so."""
    if shadow.delta and is_part:
        borrow("iot.work.tree").merge(shadow.delta["state"], desired)
    else:
        shadow.delta = {"state": desired, "is_part": is_part}
    shadow.wake("work.calls")


def _command(commands, name, identifier, payload, is_single=False):
    """is_single: it never comes twice, and the next one may have its id."""
    execution = name, identifier
    if identifier and not is_single:
        if execution in commands.known:
            return
        commands.known = commands.known[1 - _REMEMBERED :] + (execution,)
    module = commands.module = commands.module or borrow("iot.work.command")
    command = module.Command(commands, execution, payload, name)
    if commands.running == _MOST:
        command.refuse_busy()
        return
    commands.run(command.do())
    commands.running += 1
