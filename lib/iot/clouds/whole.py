"""What is reported, where a cloud has a state whole or not at all: all of this life in one document.

Imported for the moment; `Cloud.whole` keeps what there is to remember.
"""

import asyncio
import time

from micropython import const

from iot.memory import borrow

_EVERY_MS = const(1000)  # ClearBlade takes no more
_HEAD_BYTES = const(8)  # of a PUBLISH, beside its topic


def new():
    """What a Cloud keeps of it."""
    return {
        "state": {},
        "task": None,
        "is_due": False,
        "sent_ms": time.ticks_add(time.ticks_ms(), -_EVERY_MS),
    }


def report(cloud, change):
    """Merges a part of the state, None for what is no more, and has all of it sent: at most once a second,
    and one message at a time. Returns a task, which ends once the cloud has it: false where that hangs up.

    Raises:
        ValueError: JSON has no word for it, or no message has room for all that is reported.
    """
    whole = cloud.whole
    borrow("iot.clouds.documents").text(change)
    state = _merged(whole["state"], change)
    topic, text = borrow("iot.clouds.sending").reported(cloud, state)[:2]
    size, most = len(topic) + len(text.encode()) + _HEAD_BYTES, len(cloud.client.outbox.view)
    if size > most:
        text = "reported: {} bytes with all that was before; the limit is {}; None takes a member away"
        raise ValueError(text.format(size, most))
    whole["state"] = state
    whole["is_due"] = True
    if not whole["task"]:
        whole["task"] = asyncio.create_task(_tell(cloud, whole))
    return whole["task"]


async def _tell(cloud, whole):
    is_told = False
    try:
        while whole["is_due"]:
            passed_ms = time.ticks_diff(time.ticks_ms(), whole["sent_ms"])
            if 0 <= passed_ms < _EVERY_MS:  # below 0 after a week: ticks wrap
                await asyncio.sleep_ms(_EVERY_MS - passed_ms)
            whole["sent_ms"] = time.ticks_ms()
            receipt = cloud.client.post(*borrow("iot.clouds.sending").reported(cloud, whole["state"]))
            if receipt:
                whole["is_due"] = False
                is_told = await receipt
    finally:
        whole["task"] = None  # with which this code would stay
    return is_told


def _merged(state, change):
    result = dict(state)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            before = result.get(name)
            result[name] = _merged(before if isinstance(before, dict) else {}, value)
        else:
            result[name] = value
    return result
