"""Hears of commands (Developer Guide, "AWS IoT Commands"); what does one is in memory while it does."""

from micropython import const

from iot.aws.cloud import parsed
from iot.memory import borrow

_MOST = const(4)  # at once
_REMEMBERED = const(8)  # executions: with QoS 1 one may come twice
_TIMEOUT_MAX_S = const(43200)
_EXECUTION = const(5)  # its level in a topic


def make(name, jobs, run, on, log):
    """The Commands of a thing; arguments as iot.aws.services has them."""
    return Commands(name, jobs.client, run, log)


class Commands:
    """The thing's commands, each answered within its time, four of them at once.

    Args:
        name: the thing's name.
        client: the thing's MQTT Client.
        run: runs a coroutine as a part of the application.
        log: a Log.
    """

    def __init__(self, name, client, run, log):
        self.handlers = {}
        self.run = run
        self.log = log
        self.client = client
        self.running = 0
        self._module = None  # iot.work.command, while it does any
        self._prefix = "$aws/commands/things/" + name + "/executions/"
        self._known = []
        self._subscriptions = [
            client.subscribe(self._prefix + rest, 1, 1, self._put)
            for rest in ("+/request/json", "+/response/rejected/json")
        ]

    def on(self, name, handler, timeout_s=10):
        """Has commands of this name done by `handler(payload)`, sync or async.

        A dictionary that it returns becomes the result: texts and booleans, all else as text. What it raises
        fails the command; after `timeout_s` that is TIMED_OUT, and an async handler cancelled.

        Args:
            name: the payload's `action` or `command`.
            handler: of the payload, a dictionary.
            timeout_s: 1 to 43200; the cloud waits for 10 unless it is told otherwise when one is started.
        """
        if not 1 <= timeout_s <= _TIMEOUT_MAX_S:
            raise ValueError("timeout_s: 1 to {}".format(_TIMEOUT_MAX_S))
        self.handlers[name] = handler, timeout_s

    def close(self):
        """The application has ended."""
        self.handlers.clear()
        while self._subscriptions:
            self._subscriptions.pop().close()

    def answer(self, execution, *outcome):
        """Answers an execution; false where the outbox has no room for that."""
        payload = borrow("iot.aws.answers").answer(*outcome)
        return self.client.publish(self._prefix + execution + "/response/json", payload, qos=1)

    def ended(self):
        """A command is done."""
        self.running -= 1
        if not self.running:
            self._module = None

    def _put(self, message):
        try:
            self._take(*message)
        except Exception as error:  # such as no memory for it: it must not end the connection
            self.log.exception("commands", message[0], error)

    def _take(self, topic, payload):
        execution = topic.split("/")[_EXECUTION]
        payload = payload and bytes(payload)
        if topic.endswith("/rejected/json"):
            self.log.warning("commands", "{}: {}", execution, payload and str(payload[:200], "utf-8"))
            return
        if execution in self._known:
            return
        self._known = self._known[1 - _REMEMBERED :] + [execution]
        module = self._module = self._module or borrow("iot.work.command")
        if self.running == _MOST:
            module.Command(self, execution, parsed(payload)).refuse_busy()
            return
        self.run(module.Command(self, execution, parsed(payload)).do())
        self.running += 1
