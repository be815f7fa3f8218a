"""One execution of a command, from its payload to its answer (AWS: "Update the result of an execution")."""

import asyncio

from micropython import const

from iot.aws import documents
from iot.aws.cloud import parsed
from iot.events import within

_DESCRIPTION_MAX = const(1024)
_CODE_MAX = const(64)
_NAME_MAX = const(32)
_RETRY_MS = const(1000)


class Command:
    """Args: commands, the Commands; execution, its id; payload, its bytes, None for too many."""

    def __init__(self, commands, execution, payload):
        self._commands = commands
        self._execution = execution
        self._payload = parsed(payload)
        self._answer = None
        self._answered = asyncio.Event()

    def refuse_busy(self):
        """As many are under way as may be."""
        self._answer = answer("REJECTED", "BUSY", "{} commands are under way".format(self._commands.running))
        self._publish()

    async def do(self):
        """Does it and sends the answer. As a part of the application it lets no error out."""
        commands = self._commands
        timeout_ms = _RETRY_MS
        try:
            found = self._found()
            if found:
                handler, timeout_s = found
                timeout_ms = timeout_s * 1000
                await self._run(handler, timeout_ms)
            commands.log.info("commands", "{}: {}", self._execution, self._answer["status"])
            while not self._publish():  # the outbox is full
                if timeout_ms <= 0:
                    commands.log.error("commands", "{}: not answered, the outbox is full", self._execution)
                    break
                timeout_ms -= _RETRY_MS
                await asyncio.sleep_ms(_RETRY_MS)
        except asyncio.CancelledError:
            if not self._answer:
                self._answer = answer("FAILED", "ENDED", "the application has ended")
            self._publish()
            raise
        except Exception as error:  # as of memory that is short
            commands.log.exception("commands", self._execution, error)
        finally:
            commands.ended()

    def _found(self):
        """(handler, timeout_s); None where there is none, which is the answer then."""
        payload, handlers = self._payload, self._commands.handlers
        if payload is None:
            self._answer = answer("REJECTED", "UNREADABLE", "too large, nested too deep, or no JSON object")
            return None
        name = payload.get("action", payload.get("command"))
        if isinstance(name, str) and name in handlers:
            return handlers[name]
        text = "unknown command {}; known: {}".format(name, ", ".join(sorted(handlers)))
        self._answer = answer("REJECTED", "UNKNOWN_COMMAND", text)
        return None

    async def _run(self, handler, timeout_ms):
        """Until the handler has ended, or its time is over."""
        task = self._commands.run(self._work(handler))
        try:
            if not await within(timeout_ms, self._answered.wait()):
                self._answer = answer("TIMED_OUT", "TIMED_OUT", "not done within {} ms".format(timeout_ms))
        finally:
            if not task.done():
                task.cancel()

    async def _work(self, handler):
        try:
            result = handler(self._payload)
            if hasattr(result, "send"):
                result = await result
            found = answer("SUCCEEDED", result=result)
        except KeyboardInterrupt:
            raise
        except asyncio.CancelledError:
            found = answer("FAILED", "CANCELLED", "it was cancelled, by the application")
        except BaseException as error:
            kind = type(error).__name__
            found = answer("FAILED", kind, "{}: {}".format(kind, error))
        if not self._answer:
            self._answer = found
        self._answered.set()

    def _publish(self):
        """False where the outbox has no room for it."""
        return self._commands.client.publish(self._commands.topic(self._execution), self._answer, qos=1)


def answer(status, code=None, description=None, result=None):
    """The payload that tells of an execution; what is past AWS's bounds is cut."""
    found = {"status": status}
    if code:
        found["statusReason"] = {
            "reasonCode": documents.name(code.upper(), _CODE_MAX),
            "reasonDescription": documents.text(description, _DESCRIPTION_MAX),
        }
    if isinstance(result, dict) and result:
        found["result"] = _results(result)
    return found


def _results(values):
    texts, found = documents.details(values, _NAME_MAX), {}
    for key in values:
        called = documents.name(key, _NAME_MAX)
        if called in texts:
            is_boolean = isinstance(values[key], bool)
            found[called] = {"b": values[key]} if is_boolean else {"s": texts[called]}
    return found
