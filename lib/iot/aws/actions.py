"""Jobs that the library does itself. An application's handler of the same name takes the place of one."""

import asyncio

from micropython import const

from iot.memory import borrow

_MINUTES_MAX = const(1440)
_SET = const("set")  # what a configuration is marked by, with its number
_OTA = const("ota")  # what an update is marked by
_POLL_MS = const(1000)


async def _reboot(job):
    """The next life says that it has succeeded."""
    await job.restart(lambda: job.system.restart("job " + job.id))


def _factory_reset(job):
    """Nobody could say so later: the cloud hears of it first."""
    job.then = lambda: job.system.turn("factory_reset", "job " + job.id)


async def _log(job):
    """`level`, and `minutes` for which the log has it, here and in the cloud; then all is as before."""
    level, minutes, system = job.document.get("level"), job.document.get("minutes", 60), job.system
    if not isinstance(minutes, int) or not 1 <= minutes <= _MINUTES_MAX:
        job.reject("minutes: 1 to {}".format(_MINUTES_MAX))
    try:
        system.log.set_level(level, minutes)
    except ValueError as error:
        job.reject(str(error))
    if "log_lines" in system.tasks:
        system.tasks["log_lines"].cancel()
        await system.ended("log_lines")
    lines = borrow("iot.aws.log_lines").LogLines(system, level, minutes)
    system.tasks["log_lines"] = asyncio.create_task(lines.run())
    return {"level": level, "minutes": minutes}


async def _rotate(job):
    """The next life tells whether the broker has taken the new certificate."""
    rotation, system = borrow("iot.aws.rotation"), job.system
    if await job.execution.mark(rotation.certificate_id(system.store())):
        if await rotation.rotate(system):
            system.tell("rotated")
        await job.gone()


async def _configure(job):
    """`config`: sections that change. The next life tells whether the cloud was reached with them."""
    system, config = job.system, job.document.get("config")
    if not isinstance(config, dict):
        job.reject("config: not a JSON object")
    if await job.execution.mark(_SET + str(system.stored["set"])):
        borrow("iot.aws.reconfigure").begin(system, config)
        await job.gone()


async def _ota(job):
    """An update whose notice did not show that it is one, as in steps (iot.aws.update_job has the others)."""
    if await job.execution.mark(_OTA):
        borrow("iot.aws.update_job").begin(job.system, job.execution.key)
        await job.gone()


async def failed_over(system, mark):
    """Why a job that was meant to begin this life has failed, "" where it has not.

    mark: the number of the configuration's set before, the certificate's id before, an update's mark, or what
        is none of these.
    """
    if mark == _OTA:
        return borrow("iot.aws.update_job").why_not(borrow("iot.ota.pending").over(system.folder))
    if mark.startswith(_SET):
        if mark != _SET + str(system.stored["set"]):
            return ""
        return "the old configuration goes on: " + (
            borrow("iot.probation").reason(system.nvs) or "interrupted"
        )
    rotation = borrow("iot.aws.rotation")
    while len(mark) > 1 and not (renewed := rotation.is_renewed(system.store(), mark)):
        if renewed is False:
            return "the old certificate goes on: the log tells why"
        await asyncio.sleep_ms(_POLL_MS)  # one on trial waits for what this life shows
    return ""


#: By action: what does it, and whether no step of a job can follow on it.
HANDLERS = {
    "reboot": (_reboot, True),
    "configure": (_configure, True),
    "factory-reset": (_factory_reset, True),
    "log": (_log, False),
    "OTA": (_ota, True),
    "rotate-certificate": (_rotate, True),
}
