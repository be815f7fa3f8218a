"""Jobs that the library does itself, whatever the cloud. An application's handler of the same name takes the
place of one.
"""

from micropython import const

from iot.memory import borrow

_SET = const("set")  # what a configuration is marked by, with its number
OTA = "ota"  # what an update is marked by


async def _reboot(job):
    """The next life says that it has succeeded."""
    await job.restart(lambda: job.system.restart("job " + job.id))


def _factory_reset(job):
    """Nobody could say so later: the cloud hears of it first."""
    job.then = lambda: job.system.turn("factory_reset", "job " + job.id)


async def _configure(job):
    """`config`: sections that change. The next life tells whether the cloud was reached with them."""
    system, config = job.system, job.document.get("config")
    if not isinstance(config, dict):
        job.reject("config: not a JSON object")
    if await job.execution.mark(_SET + str(system.stored["set"])):
        borrow("iot.work.reconfigure").begin(system, config)
        await job.gone()


def failed_over(system, mark):
    """Why a job that was meant to begin this life has failed, "" where it has not; None for another's mark.

    mark: the number of the configuration's set before, or an update's mark.
    """
    if mark == OTA:
        return borrow("iot.work.update").why_not(borrow("iot.ota.pending").over(system.folder))
    if not mark.startswith(_SET):
        return None
    if mark != _SET + str(system.stored["set"]):
        return ""
    return "the old configuration goes on: " + (borrow("iot.probation").reason(system.nvs) or "interrupted")


def handlers():
    """By action: what does it, and whether no step of a job can follow on it."""
    return {
        "reboot": (_reboot, True),
        "configure": (_configure, True),
        "factory-reset": (_factory_reset, True),
    }
