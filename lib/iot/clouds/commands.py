"""Hears of commands, with clouds other than AWS: methods, services, messages."""

from micropython import const

from iot.memory import borrow

_MOST = const(4)  # at once
_REMEMBERED = const(8)  # executions: with QoS 1 one may come twice
_TIMEOUT_MAX_S = const(43200)


class Commands:
    """The thing's commands; arguments and attributes as those of iot.aws.commands.Commands."""

    def __init__(self, cloud, run, log):
        self.handlers = {}
        self.run = run
        self.log = log
        self.running = 0
        self._cloud = cloud
        self._known = []
        self._module = None  # iot.work.command, while it does any
        cloud.takers["command"] = self._take

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
        cloud = self._cloud
        message = borrow(cloud.profile).answer(
            cloud.section, cloud.name, execution[0], execution[1], status, description, result
        )
        return cloud.client.post(*message) if message else True

    def ended(self):
        """A command is done."""
        self.running -= 1
        if not self.running:
            self._module = None

    def _take(self, name, identifier, payload):
        execution = name, identifier
        if identifier and execution in self._known:
            return
        self._known = self._known[1 - _REMEMBERED :] + [execution]
        module = self._module = self._module or borrow("iot.work.command")
        command = module.Command(self, execution, payload, name)
        if self.running == _MOST:
            command.refuse_busy()
            return
        self.run(command.do())
        self.running += 1


def make(name, jobs, run, on, log):
    """The Commands of a thing; arguments as iot.services has them."""
    return Commands(jobs.cloud, run, log)
