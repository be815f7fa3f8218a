"""The jobs that the library does itself with clouds other than AWS, beside those of iot.work.actions."""

from iot.memory import borrow
from iot.work import actions


async def _ota(job):
    """An update, whose manifest is in the document (docs/updates.md)."""
    system, found = job.system, {"job": job.id, "number": None}
    try:
        found.update(borrow("iot.ota.request").order(job.document))
        if found["stream"]:
            raise ValueError("stream: AWS alone has those")
    except ValueError as error:
        job.reject(str(error))

    execution = job.execution
    update = borrow("iot.work.update")
    if not await update.make_ready(system, execution.is_offered, execution.jobs.changed):
        return
    if await execution.mark(actions.OTA):
        pending = borrow("iot.ota.pending")
        pending.note(system.folder, found)
        borrow("iot.probation").keep_reason(system.nvs, "")  # what an earlier one has left
        pending.store(system.folder, found)
        system.turn("update_accepted", "job " + job.id)
        await job.gone()


async def failed_over(system, mark):
    """As iot.work.actions has it."""
    return actions.failed_over(system, mark) or ""


def handlers():
    """As iot.work.actions has them."""
    found = actions.handlers()
    found["OTA"] = _ota, True
    return found
