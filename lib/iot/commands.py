"""The commands of the console. Nothing here gives a secret back."""

import json

from micropython import const

from iot.modules import forget

_DOCUMENT_MAX = const(16384)  # characters of a configuration with all its certificates


class Commands:
    """Turns lines into calls of the system.

    Args:
        system: the System.
    """

    def __init__(self, system):
        self._system = system
        self._document = None

    @property
    def pending(self):
        """True between the beginning of a configuration and its commit: this object is still needed."""
        return self._document is not None

    async def run(self, name, argument):
        """Carries a command out; returns the answer, or raises ValueError or OSError."""
        if name == "status":
            return json.dumps(await self._system.status())
        if name == "wifi":
            status = await self._system.status()
            return json.dumps({name: status[name] for name in ("wifi", "ip", "rssi", "networks")})
        handlers = {
            "help": self._help,
            "mode": self._mode,
            "log": self._log,
            "configure": self._configure,
            "restart": self._restart,
            "factory-reset": self._factory_reset,
        }
        if name not in handlers:
            raise ValueError("no such command; help lists them")
        return handlers[name](argument)

    def _help(self, argument):
        return (
            "help | status | mode | wifi | log LEVEL | restart | factory-reset"
            " | configure begin | configure data PIECE | configure commit"
        )

    def _mode(self, argument):
        return self._system.mode

    def _log(self, argument):
        self._system.log.set_level(argument)
        return "log level " + argument

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
            raise ValueError("configure begin comes first")
        if step == "data":
            if len(self._document) + len(piece) > _DOCUMENT_MAX:
                self._document = None
                raise ValueError("a configuration has at most {} bytes".format(_DOCUMENT_MAX))
            self._document.extend(piece.encode())
            return str(len(self._document))
        if step == "commit":
            from iot import config  # 8 KB of heap that a configured device does not need

            document, self._document = self._document, None
            try:
                self._system.configure(config.parse(document))
            finally:
                forget("iot.config")
            return "stored, restarting"
        raise ValueError("configure begin, data PIECE or commit")
