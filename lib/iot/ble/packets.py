"""The application's own named packets over Bluetooth LE, which is on in mode CONFIG alone."""

import asyncio

from micropython import const

_NAME_MAX = const(16)
_PAYLOAD_MAX = const(1024)
_QUEUE_MAX = const(8)


class Packets:
    """Named packets both ways (docs/ble.md, DATA).

    Args:
        log: a Log.

    Attributes:
        dropped: packets that `send` refused, or that a phone went away without.
        proven: tells whether there is a phone that has proved that it knows the code; None where none comes.
    """

    def __init__(self, log):
        self._log = log
        self._handlers = {}
        self._queue = []
        self._queued = asyncio.Event()
        self.proven = None
        self.dropped = 0

    def on(self, name, handler):
        """Calls `handler(payload)`, which returns at once, for each packet of `name`, 1 to 16 bytes of UTF-8.

        One handler a name: a second one replaces the first, None removes it. ValueError for such a name.
        """
        _check(name, b"")
        self._handlers[name] = handler

    def send(self, name, payload):
        """Queues a packet of up to 1,024 bytes for the phone; returns whether it will be sent.

        It is not where there is no phone, or eight are queued already. ValueError for a bad name or length,
        TypeError for what is not bytes.
        """
        _check(name, payload)
        if not self.proven or not self.proven() or len(self._queue) >= _QUEUE_MAX:
            self.dropped += 1
            return False
        self._queue.append((name, bytes(payload)))  # its caller may go on with a bytearray
        self._queued.set()
        return True

    def deliver(self, name, payload):
        """Hands a packet of the phone to its handler; False where nobody asked for it or it is too long."""
        handler = self._handlers.get(name)
        if handler is None or len(payload) > _PAYLOAD_MAX:
            return False
        try:
            handler(payload)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the application's code: whatever it raises must stop here
            self._log.exception("ble", "handler of packet " + name, error)
        return True

    async def next(self):
        """Waits for the next packet to be sent and returns (name, payload)."""
        while not self._queue:
            self._queued.clear()
            await self._queued.wait()
        return self._queue.pop(0)

    def clear(self):
        """Drops what waits: what was not sent to one phone is not for the next."""
        self.dropped += len(self._queue)
        self._queue.clear()


def _check(name, payload):
    if not 1 <= len(name.encode()) <= _NAME_MAX:
        raise ValueError("a packet's name has 1 to {} bytes".format(_NAME_MAX))
    if len(payload) > _PAYLOAD_MAX:
        raise ValueError("a packet has at most {} bytes".format(_PAYLOAD_MAX))
