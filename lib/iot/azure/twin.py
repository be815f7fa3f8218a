"""What a device twin asks for: desired properties that are not reported. Pure, and in memory for a moment.

Source: "Understand and use device twins in IoT Hub".
"""

from micropython import const

_JOB = const("job")


def take(kind, status, is_get, document, ask):
    """What has come about the twin, as a profile's `take` has it.

    Args:
        kind: "PATCH", or "res" for an answer.
        status: of the answer.
        is_get: whether it is one to `ask`, the message by which the twin is asked for.
        document: a dictionary; None where none could be read.
    """
    if kind == "PATCH":
        return _changed(document, ask)
    if is_get and status == "200":
        return _whole(document)
    if status in ("200", "204"):
        return None
    text = "the twin: {} {}".format(status, (document or {}).get("message", ""))
    return "again" if is_get else "refused", text


def _changed(document, ask):
    """A change. One of the job is merged into the one before it: the twin has what there is to do then."""
    if document is None:
        return "refused", "a change of the twin is over the limits, or no JSON object"
    desired = wanted(document, {}, False)
    is_job = desired.pop(_JOB, None) is not None
    if _JOB in document and not is_job:
        desired[_JOB] = {}
    return "state", desired, ask if is_job else None, True


def _whole(document):
    if document is None:
        return "refused", "the twin is over the limits, or no JSON object"
    desired, reported = document.get("desired") or {}, document.get("reported") or {}
    job = desired.pop(_JOB, None) or {}
    desired = wanted(desired, reported, True)
    desired[_JOB] = job
    return "state", desired, None


def wanted(desired, reported, is_whole):
    """What is desired and not reported; neither what is removed (null) nor what is the hub's own is.

    is_whole: whether `desired` is all of it.
    """
    found = {}
    for key, value in desired.items():
        known, wants = reported.get(key, ...), value
        if isinstance(value, dict):
            inner = known if isinstance(known, dict) else {}
            wants = wanted(value, inner, is_whole)
            if not wants and (inner is known or not is_whole):
                continue
        if key[:1] != "$" and wants is not None and wants != known:
            found[key] = wants
    return found
