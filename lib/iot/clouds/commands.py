"""What stays in memory of commands, with clouds other than AWS: methods, services, messages."""

from micropython import const

from iot.memory import borrow

_TIMEOUT_MAX_S = const(43200)


class Commands:
    """The thing's commands; arguments and attributes as those of iot.aws.commands.Commands.

    Attributes:
        known: executions that have come.
        module: iot.work.command, while it does any.
    """

    running = 0
    module = None
    known = ()

    def __init__(self, cloud, run, log):
        self.handlers = {}
        self.run = run
        self.log = log
        self._cloud = cloud
        cloud.takers["command"] = self

    def on(self, name, handler, timeout_s=10):
        """As iot.aws.commands.Commands.on; the name is the method's, the service's or the topic's."""
        if not 1 <= timeout_s <= _TIMEOUT_MAX_S:
            raise ValueError("timeout_s: 1 to {}".format(_TIMEOUT_MAX_S))
        self.handlers[name] = handler, timeout_s

    def close(self):
        """The application has ended."""
        self.handlers.clear()
        self._cloud.takers.pop("command", None)

    def answer(self, execution, status, code=None, description=None, result=None):
        """Answers an execution, (name, id); false where the outbox has no room for that."""
        return borrow("iot.clouds.sending").answer(self._cloud, execution, status, description, result)

    def ended(self):
        """A command is done."""
        self.running -= 1
        if not self.running:
            self.module = None


def make(name, jobs, run, on, log):
    """The Commands of a thing; arguments as iot.services has them."""
    return Commands(jobs.cloud, run, log)
