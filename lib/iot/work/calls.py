"""Hands what is desired to handlers (iot.aws.shadow, iot.clouds.shadow). Imported for the moment."""

import asyncio
import binascii
import json

from iot.work.tree import find, nested


async def run(shadows):
    """Calls each handler that has something to do and is not busy."""
    for shadow in tuple(shadows.by_topic.values()):
        delta, shadow.delta = shadow.delta, None
        if delta:
            take(shadow.fields, delta)
        for key in tuple(shadow.fields):
            field = shadow.fields[key]
            if field[2] is not ... and not field[3]:
                _call(shadows, shadow, key, field)
                await asyncio.sleep_ms(0)


def take(fields, delta):
    """Gives each field its part of a delta, which is all that is desired and not reported.

    With `is_part` it is what is desired from now on: the rest stays as it is.
    """
    is_part = delta.get("is_part")
    for key, field in fields.items():
        path = key.split(".")
        value = find(delta.get("state"), path, ...)
        seen = None
        if value is not ...:
            # A handler that fails, or makes something else of it, leaves a difference, in each delta to come:
            # what is not desired anew is not done anew.
            when = find(delta.get("metadata"), path, None)
            seen = binascii.crc32(json.dumps([value, when]).encode())
            if seen == field[1] and not is_part:
                continue
        elif is_part:
            continue
        field[1] = seen
        field[2] = value


def _call(shadows, shadow, key, field):
    value, field[2] = field[2], ...
    try:
        result = field[0](value)
        if hasattr(result, "send"):
            field[3] = True
            shadows.run(_finish(shadows, shadow, key, field, value, result))
            return
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the application's code: whatever it raises must stop here
        field[3] = False
        _failed(shadows, shadow, key, error)
        return
    _done(shadows, shadow, key, field, value if result is None else result)


async def _finish(shadows, shadow, key, field, value, coroutine):
    try:
        result = await coroutine
    except (KeyboardInterrupt, asyncio.CancelledError):
        shadow.report(nested(key, None))
        raise
    except BaseException as error:
        _failed(shadows, shadow, key, error)
    else:
        _done(shadows, shadow, key, field, value if result is None else result)
    finally:
        field[3] = False
        shadows.wake("work.calls")


def _done(shadows, shadow, key, field, result):
    try:
        if not shadow.report(nested(key, result)):
            field[1] = None  # it is done again when it is heard again
            shadows.log.error("shadow", "{}: no room to report it", key)
    except Exception as error:
        _failed(shadows, shadow, key, error)


def _failed(shadows, shadow, key, error):
    shadows.log.exception("shadow", "handler of " + key, error)
    shadow.report(nested(key, None))
