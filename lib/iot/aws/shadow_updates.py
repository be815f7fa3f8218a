"""Makes shadows' requests (see iot.aws.shadow). Imported for the moment and forgotten."""

import asyncio
import json

from micropython import const

from iot.aws.shadow_document import joined, take, weight
from iot.backoff import Backoff
from iot.work.tree import find

_KNOWN_BYTES = const(128)
_TIMEOUT_MS = const(20000)
_FIRST_MS = const(1000)
_MOST_MS = const(60000)


async def run(shadows):
    """Asks, one request at a time and of each shadow in turn, until nothing is due or the connection ends."""
    requests = shadows.jobs.need_requests()
    try:
        await _ask_all(shadows, requests)
    finally:
        shadows.jobs.spare_requests()


async def _ask_all(shadows, requests):
    backoff = Backoff(_FIRST_MS, _MOST_MS)
    is_due = True
    while is_due and requests.client.connected:
        is_due = has_failed = False
        for shadow in tuple(shadows.by_topic.values()):
            if shadow.going or shadow.patches or (shadow.must_look and shadow.fields):
                is_due = True
                if requests.client.connected and not await _ask(shadows, shadow, requests):
                    has_failed = True
        if has_failed:
            await asyncio.sleep_ms(backoff.next_ms())
        else:
            backoff.reset()


async def _ask(shadows, shadow, requests):
    """Makes one request; False where that has to be done again, after a pause."""
    room = min(shadows.room(shadow.topic))
    if not shadow.going and shadow.patches:
        trees = [json.loads(patch) for patch in joined(shadow.patches)]
        shadow.going = take(trees[0], room)[0]
        shadow.patches = [json.dumps(tree).encode() for tree in trees if tree]
    looks, shadow.must_look = shadow.must_look, False
    update, newest = shadow.going or shadow.known, shadow.version
    try:
        topic, document = ("/update", {"state": update}) if update else ("/get", {})
        answer = await requests.ask(shadow.topic + topic, document, _TIMEOUT_MS, 1)
    except requests.Error as error:
        # An update's own answer is too large where a long list is in it; else that was to another's update.
        if error.code != "TooLarge" or (update and weight(update) <= room):
            is_final = _is_final(shadows, shadow, update, error)
            shadow.must_look = shadow.must_look or (looks and bool(shadow.going or not is_final))
            if is_final:
                shadow.going = None
            return is_final
        answer = {}
        if not update:
            shadow.known = {"reported": {}}
            shadow.must_look = True
    _accepted(shadows, shadow, update, answer, newest)
    return True


def _is_final(shadows, shadow, update, error):
    """Whether a refusal is for good."""
    code = error.code
    if code == 404 and not update:  # there is no shadow
        shadow.version = 0
        return True
    if not isinstance(code, int) or not 400 <= code < 500 or code in (409, 429):
        return False
    shadows.log.error("shadow", "{}: dropped, since refused: {}", shadow.topic, error)
    return True


def _accepted(shadows, shadow, update, answer, newest):
    """Takes an answer; newest: the version of the last delta when it was asked for."""
    if shadow.going:
        shadow.going = None
        if "reported" in update:
            reported = update["reported"]
            shadow.known = {"reported": reported if weight(reported) <= _KNOWN_BYTES else {}}
    version = answer.get("version")
    if not isinstance(version, int):
        return
    if version < newest + bool(update):  # it was deleted meanwhile, and began anew
        shadow.version = version
        shadow.must_look = True  # for the delta of this one may have come, and have been taken for an old one
    if not update and version >= shadow.version:
        shadow.version = version
        shadow.delta = {
            "state": find(answer, ("state", "delta"), None),
            "metadata": find(answer, ("metadata", "delta"), None),
        }
        shadows.wake("work.calls")
