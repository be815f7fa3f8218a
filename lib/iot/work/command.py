"""One execution of a command, from what came of it to its answer, whatever the cloud."""

import asyncio

from micropython import const

from iot.events import within

_RETRY_MS = const(1000)


class Command:
    """A command that is being done.

    Args:
        commands: the Commands, of iot.aws or iot.clouds.
        execution: its id.
        payload: a dictionary; None where none could be read.
        name: the command's; None: the payload says it.
    """

    def __init__(self, commands, execution, payload, name=None):
        self._commands = commands
        self._execution = execution
        self._payload = payload
        self._name = name
        self._shown = name or execution
        self._answer = None
        self._answered = asyncio.Event()

    def refuse_busy(self):
        """As many are under way as may be."""
        self._answer = outcome("REJECTED", "BUSY", "{} commands are under way".format(self._commands.running))
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
            commands.log.info("commands", "{}: {}", self._shown, self._answer[0])
            while not self._publish():  # the outbox is full
                if timeout_ms <= 0:
                    commands.log.error("commands", "{}: not answered, the outbox is full", self._shown)
                    break
                timeout_ms -= _RETRY_MS
                await asyncio.sleep_ms(_RETRY_MS)
        except asyncio.CancelledError:
            if not self._answer:
                self._answer = outcome("FAILED", "ENDED", "the application has ended")
            self._publish()
            raise
        except Exception as error:  # as of memory that is short
            commands.log.exception("commands", self._shown, error)
        finally:
            commands.ended()

    def _found(self):
        """(handler, timeout_s); None where there is none, which is the answer then."""
        payload, handlers = self._payload, self._commands.handlers
        if payload is None:
            self._answer = outcome("REJECTED", "UNREADABLE", "too large, nested too deep, or no JSON object")
            return None
        name = self._name or payload.get("action", payload.get("command"))
        if isinstance(name, str) and name in handlers:
            return handlers[name]
        text = "unknown command {}; known: {}".format(name, ", ".join(sorted(handlers)))
        self._answer = outcome("REJECTED", "UNKNOWN_COMMAND", text)
        return None

    async def _run(self, handler, timeout_ms):
        """Until the handler has ended, or its time is over."""
        task = self._commands.run(self._work(handler))
        try:
            if not await within(timeout_ms, self._answered.wait()):
                self._answer = outcome("TIMED_OUT", "TIMED_OUT", "not done within {} ms".format(timeout_ms))
        finally:
            if not task.done():
                task.cancel()

    async def _work(self, handler):
        try:
            result = handler(self._payload)
            if hasattr(result, "send"):
                result = await result
            found = outcome("SUCCEEDED", result=result)
        except KeyboardInterrupt:
            raise
        except asyncio.CancelledError:
            found = outcome("FAILED", "CANCELLED", "it was cancelled, by the application")
        except BaseException as error:
            kind = type(error).__name__
            found = outcome("FAILED", kind, "{}: {}".format(kind, error))
        if not self._answer:
            self._answer = found
        self._answered.set()

    def _publish(self):
        """False where the outbox has no room for it."""
        return self._commands.answer(self._execution, *self._answer)


def outcome(status, code=None, description=None, result=None):
    """(status, code, description, result), as `Commands.answer` takes them behind the execution."""
    return status, code, description, result
