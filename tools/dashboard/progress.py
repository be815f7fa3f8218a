"""How far an update is: from its job, and from what the device logs meanwhile."""

from typing import Any

from tools.thing.jobs import ENDED

Update = dict[str, Any]
"""job, version, status, step, bytes, size, reason; the step is queued, asking, fetching, trial, confirmed,
back (to the version before) or failed."""
_TRIED = ("trial", "back")


def is_update(document: Any) -> bool:
    """Whether a job's document brings one."""
    return isinstance(document, dict) and document.get("action") == "OTA"


def is_under_way(update: Update) -> bool:
    """Whether its job has no end yet."""
    return update["status"] not in ENDED


def of_job(job: dict[str, Any], before: Update | None) -> Update:
    """The update of this job, of which `before` may be known."""
    update = dict(before) if before and before["job"] == job["job"] else _new(job)
    update["status"] = status = job["status"]
    if status in ENDED:
        update["reason"] = (job["details"] or {}).get("message") or update["reason"]
        update["step"] = "back" if update["step"] in _TRIED else "failed"
        if status == "SUCCEEDED":
            update |= {"step": "confirmed", "bytes": update["size"], "reason": None}
    elif status == "IN_PROGRESS" and update["step"] == "queued":
        update["step"] = "asking"
    return update


def stepped(update: Update, step: dict[str, Any]) -> Update:
    """The same after what a log line has told."""
    if not is_under_way(update):
        return update
    found = update | step
    return found | {"bytes": found["size"]} if step["step"] == "trial" else found


def _new(job: dict[str, Any]) -> Update:
    """What the document says of it, before the device says anything."""
    lines = str(job["document"].get("manifest", "")).splitlines()
    said = dict(line.split(" ", 1) for line in lines if " " in line)
    size = said.get("size", "")
    return {
        "job": job["job"],
        "version": said.get("version"),
        "status": job["status"],
        "step": "queued",
        "bytes": 0,
        "size": int(size) if size.isdecimal() else None,
        "reason": None,
    }
