"""The jobs that the library does itself with AWS IoT, beside those of iot.work.actions."""

import asyncio

from micropython import const

from iot.memory import borrow
from iot.work import actions

_MINUTES_MAX = const(1440)
_POLL_MS = const(1000)


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
        await borrow("iot.endings").end(system, ("log_lines",))
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


async def _ota(job):
    """An update whose notice did not show that it is one, as in steps (iot.aws.update_job has the others)."""
    if await job.execution.mark(actions.OTA):
        borrow("iot.aws.update_job").begin(job.system, job.execution.key)
        await job.gone()


async def failed_over(system, mark):
    """Why a job that was meant to begin this life has failed, "" where it has not.

    mark: as iot.work.actions has it, the certificate's id before, or what is none of these.
    """
    why = actions.failed_over(system, mark)
    if why is not None:
        return why
    rotation = borrow("iot.aws.rotation")
    while len(mark) > 1 and not (renewed := rotation.is_renewed(system.store(), mark)):
        if renewed is False:
            return "the old certificate goes on: the log tells why"
        await asyncio.sleep_ms(_POLL_MS)  # one on trial waits for what this life shows
    return ""


def handlers():
    """As iot.work.actions has them."""
    found = actions.handlers()
    found.update({"log": (_log, False), "OTA": (_ota, True), "rotate-certificate": (_rotate, True)})
    return found
