"""Facts about the system rise as events: a name and one detail, told at once to handlers and waiters."""

import asyncio

from micropython import const

_WAIT_MOST_MS = const((1 << 29) - 1)  # 6.2 days: MicroPython ends longer waits by OverflowError

#: Every event there is, and its detail.
NAMES = (
    "mode",  # the mode entered, e.g. "NORMAL"
    "wifi_up",  # {"ssid", "ip", "rssi"}
    "wifi_down",  # reason
    "clock_set",  # how it was set: "sntp", "estimate"
    "cloud_up",  # True where the broker had kept the session
    "cloud_down",  # reason
    "provisioned",  # thing name
    "published",  # packet id of the acknowledged message
    "restart",  # reason
    "ble_up",  # address of the phone that has connected
    "ble_proved",  # None: the phone has proved that it knows the code
    "ble_down",  # reason
)


async def within(timeout_ms, coroutine):
    """Await a coroutine; False if that took `timeout_ms` (None: for ever) and it was cancelled."""
    timeout_ms = timeout_ms and min(timeout_ms, _WAIT_MOST_MS)
    try:
        await (coroutine if timeout_ms is None else asyncio.wait_for_ms(coroutine, timeout_ms))
    except asyncio.TimeoutError:
        return False
    return True


class Events:
    """Tells handlers and waiters what happened. Handlers are plain functions and return at once."""

    def __init__(self, log):
        self._log = log
        self._handlers = {}

    def on(self, name, handler):
        """Calls `handler(detail)` each time `name` happens. ValueError for a name that does not exist."""
        self._of(name).append(handler)

    def off(self, name, handler):
        """Stops calling `handler`; ValueError where it was not registered."""
        self._of(name).remove(handler)

    def emit(self, name, detail=None):
        """Tells everybody. A handler that raises is logged and keeps nobody else from hearing."""
        for handler in tuple(self._of(name)):
            try:
                handler(detail)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # the application's code: whatever it raises must stop here
                self._log.exception("events", "handler of " + name, error)

    async def wait(self, name, timeout_ms=None):
        """Waits for the next `name` and returns its detail; asyncio.TimeoutError after `timeout_ms`."""
        happened = asyncio.Event()
        details = []

        def handler(detail):
            details.append(detail)
            happened.set()

        self.on(name, handler)
        try:
            while (timeout_ms or 0) > _WAIT_MOST_MS and not await within(_WAIT_MOST_MS, happened.wait()):
                timeout_ms -= _WAIT_MOST_MS
            if not await within(timeout_ms, happened.wait()):
                raise asyncio.TimeoutError
        finally:
            self.off(name, handler)
        return details[0]

    def _of(self, name):
        if name not in NAMES:
            raise ValueError("no event {!r}: one of {}".format(name, ", ".join(NAMES)))
        return self._handlers.setdefault(name, [])
