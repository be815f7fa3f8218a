"""The commands of the console."""

import json

from micropython import const

from iot.console import CommandError

_DOCUMENT_MAX = const(16384)  # characters of a configuration with all its certificates


class Commands:
    """Turns lines into calls of the system. Nothing here gives a secret back.

    Args:
        system: the System.
    """

    def __init__(self, system):
        self._system = system
        self._document = None

    def table(self):
        """{name: handler} for a Console."""
        return {
            "help": self._help,
            "status": self._status,
            "configure": self._configure,
            "restart": self._restart,
            "factory-reset": self._factory_reset,
        }

    def _help(self, argument):
        return "commands: " + ", ".join(sorted(self.table())) + "; configure begin | data PIECE | commit"

    def _status(self, argument):
        return json.dumps(self._system.status())

    def _restart(self, argument):
        self._system.restart("asked on the console")
        return "restarting"

    def _factory_reset(self, argument):
        self._system.factory_reset()
        return "configuration and certificate erased, restarting"

    def _configure(self, argument):
        """A JSON document in pieces, since a line is short: begin, data, data, …, commit."""
        step, _, piece = argument.partition(" ")
        if step == "begin":
            self._document = bytearray()
            return "0"
        if self._document is None:
            raise CommandError("configure begin comes first")
        if step == "data":
            if len(self._document) + len(piece) > _DOCUMENT_MAX:
                self._document = None
                raise CommandError("a configuration has at most {} bytes".format(_DOCUMENT_MAX))
            self._document.extend(piece.encode())
            return str(len(self._document))
        if step == "commit":
            from iot import config  # 8 KB of heap that a configured device does not need

            document, self._document = self._document, None
            self._system.configure(config.parse(document))
            return "stored, restarting"
        raise CommandError("configure begin, data PIECE or commit")
