"""What NORMAL does with the job of an update: little, since its document has no room there.

The mode OTA asks for that, and judges it. Here is what can be seen of it in a notice, when it may begin, and
what the cloud is told in the end. In memory for a moment.
"""

from micropython import const

from iot.memory import borrow

_TOLD_MS = const(60000)
_PIECE = const(256)
_BEFORE = const(16)
_MESSAGE_MAX = const(800)


def job(notice):
    """(id, number or None) of the job that the cloud tells of, where its action is "OTA"; else None.

    notice: a view of what it says.
    """
    at = _find(notice, b'"OTA"')
    before = bytes(notice[max(at - _BEFORE, 0) : max(at, 0)]).replace(b" ", b"")
    if before[-9:] != b'"action":' and _find(notice, b'{"afr_ota":') < 0:  # AWS's own
        return None
    job_id, number = _value(notice, b'"jobId"'), _value(notice, b'"executionNumber"')
    return (job_id, int(number) if number.isdigit() else None) if job_id else None


def _value(view, name):
    """What stands behind a name, without quotes; "" for nothing."""
    at = _find(view, name)
    if at < 0:
        return ""
    text = bytes(view[at + len(name) : at + _PIECE]).lstrip(b" :")
    ends = [end for end in [text.find(mark) for mark in (b",", b"}")] if end >= 0]
    return str(text[: min(ends)], "utf-8").strip(' "') if ends else ""


def _find(view, text):
    """Where a text begins, -1 for nowhere; in pieces, since none is free for all of it."""
    for at in range(0, len(view), _PIECE):
        found = bytes(view[at : at + _PIECE + len(text)]).find(text)
        if found >= 0:
            return at + found
    return -1


async def take(jobs, found):
    """Does what is to be done in NORMAL: tells the cloud what has come of it, or has the next life begin it.

    Args:
        jobs: the Jobs; where its `update` is another meanwhile, this one is none any more.
        found: as `job` gave it.
    """
    system, pending = jobs.system, borrow("iot.ota.pending")
    over = pending.over(system.folder)
    if over and (over["job"], over["number"]) == found:
        why = borrow("iot.work.update").why_not(over)
        answer = {"status": "FAILED" if why else "SUCCEEDED"}  # type: dict[str, object]
        if found[1]:
            answer["executionNumber"] = found[1]
        if why:
            answer["statusDetails"] = {"message": _plain(why)}
        receipt = jobs.client.publish(jobs.prefix + found[0] + "/update", answer, qos=1)
        if await receipt.wait(_TOLD_MS):  # else the cloud offers it once more
            pending.forget(system.folder)
            if jobs.update == found:  # a notice from before that is none of a job to be begun
                jobs.update = None
            system.log.info("jobs", "{}: {}", found[0], answer["status"])
    elif await borrow("iot.work.update").make_ready(
        system, lambda: jobs.update == found, lambda: jobs.changed(found)
    ):
        begin(system, found)


def begin(system, found):
    """Has the next life begin a job, (id, number)."""
    borrow("iot.ota.pending").store(system.folder, {"job": found[0], "number": found[1]})
    system.turn("update_accepted", "job " + found[0])


def _plain(why):
    """As AWS takes a detail: without control characters."""
    for character in set(why):
        if not " " <= character < "\x7f":
            why = why.replace(character, " ")
    return why[:_MESSAGE_MAX]
