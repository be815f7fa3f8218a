"""Jobs that the library does itself. An application's handler of the same name takes the place of one."""

from micropython import const

from iot.memory import borrow

_MINUTES_MAX = const(1440)


async def _reboot(job):
    """The next life says that it has succeeded."""
    await job.restart(lambda: job.system.restart("job " + job.id))


def _factory_reset(job):
    """Nobody could say so later: the cloud hears of it first."""
    job.then = lambda: job.system.turn("factory_reset", "job " + job.id)


def _log(job):
    """`level`, and `minutes` after which the level of the settings comes back; on the console alone."""
    level, minutes = job.document.get("level"), job.document.get("minutes", 60)
    if not isinstance(minutes, int) or not 1 <= minutes <= _MINUTES_MAX:
        job.reject("minutes: 1 to {}".format(_MINUTES_MAX))
    try:
        job.system.log.set_level(level, minutes)
    except ValueError as error:
        job.reject(str(error))
    return {"level": level, "minutes": minutes}


async def _rotate(job):
    """The next life tells whether the broker has taken the new certificate."""
    rotation, system = borrow("iot.aws.rotation"), job.system
    if await job.mark(rotation.certificate_id(system.store())):
        if await rotation.rotate(system):
            system.tell("rotated")
        await job.gone()


#: By action: what does it, and whether no step of a job can follow on it.
HANDLERS = {
    "reboot": (_reboot, True),
    "factory-reset": (_factory_reset, True),
    "log": (_log, False),
    "rotate-certificate": (_rotate, True),
}
