"""Facts about the system rise as events: a name and one detail, told at once to handlers and waiters."""

import asyncio

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
)


class Events:
    """Tells handlers and waiters what happened. Handlers are plain functions and return at once."""

    def __init__(self, log):
        self._log = log
        self._handlers = {}
        self._waiters = {}

    def on(self, name, handler):
        """Calls `handler(detail)` each time `name` happens. ValueError for a name that does not exist."""
        self._of(self._handlers, name).append(handler)

    def off(self, name, handler):
        """Stops calling `handler`; ValueError where it was not registered."""
        self._of(self._handlers, name).remove(handler)

    def emit(self, name, detail=None):
        """Tells everybody. A handler that raises is logged and keeps nobody else from hearing."""
        waiters = self._of(self._waiters, name)
        while waiters:
            waiter = waiters.pop()
            waiter[1] = detail
            waiter[0].set()
        for handler in tuple(self._of(self._handlers, name)):
            try:
                handler(detail)
            except Exception as error:  # the application's code: whatever it raises must stop here
                self._log.exception("events", "handler of " + name, error)

    async def wait(self, name, timeout_ms=None):
        """Waits for the next `name` and returns its detail; asyncio.TimeoutError after `timeout_ms`."""
        waiters = self._of(self._waiters, name)
        happened = asyncio.Event()
        waiter = [happened, None]  # and what comes with it
        waiters.append(waiter)
        try:
            if timeout_ms is None:
                await happened.wait()
            else:
                await asyncio.wait_for_ms(happened.wait(), timeout_ms)
        finally:
            if waiter in waiters:
                waiters.remove(waiter)
        return waiter[1]

    def _of(self, table, name):
        if name not in NAMES:
            raise ValueError("no event {!r}: one of {}".format(name, ", ".join(NAMES)))
        return table.setdefault(name, [])
