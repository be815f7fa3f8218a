"""Log lines for the console: uptime, level, area, text. Never given a secret, so it never prints one."""

import sys
import time

from micropython import const

_ERROR = const(0)
_WARNING = const(1)
_INFO = const(2)
_DEBUG = const(3)

_LEVELS = const(("error", "warning", "info", "debug"))


class Log:
    """Writes lines such as `    12.345 I wifi: connected to "Home"`.

    Args:
        level: name of the most talkative level shown: error, warning, info or debug.
        write: called with each line.
    """

    def __init__(self, level="info", write=print):
        self._write = write
        self._uptime_ms = 0
        self._last_ms = time.ticks_ms()
        self._drain = None
        self._drain_level = _ERROR
        self._usual = level
        self.set_level(level)

    def set_level(self, level, minutes=0):
        """From now on, or for some minutes, after which that of the start is back.

        ValueError for a name that is none of a level.
        """
        if level not in _LEVELS:
            raise ValueError("log level {!r}: one of {}".format(level, ", ".join(_LEVELS)))
        self._level = _LEVELS.index(level)
        self._until_ms = minutes and self.uptime_ms() + minutes * 60000

    def drain_to(self, level, take):
        """Has `take(uptime in ms, letter of the level, area, text)` called with lines up to `level`, too."""
        self._drain_level = _LEVELS.index(level)
        self._drain = take

    def uptime_ms(self):
        """Milliseconds since the start; counts on where ticks_ms wraps, if it is called every 6.2 days."""
        now_ms = time.ticks_ms()
        self._uptime_ms += time.ticks_diff(now_ms, self._last_ms)
        self._last_ms = now_ms
        return self._uptime_ms

    def error(self, area, text, *args):
        """`text` is a format string for `args`, formatted only where the level is shown (so below)."""
        self._line(_ERROR, area, text, args)

    def warning(self, area, text, *args):
        self._line(_WARNING, area, text, args)

    def info(self, area, text, *args):
        self._line(_INFO, area, text, args)

    def debug(self, area, text, *args):
        self._line(_DEBUG, area, text, args)

    def exception(self, area, text, error):
        """An error line and the traceback of `error`."""
        self._line(_ERROR, area, "{}: {}: {}", (text, type(error).__name__, error))
        sys.print_exception(error)

    def _line(self, level, area, text, args):
        if self._until_ms and self.uptime_ms() > self._until_ms:
            self.set_level(self._usual)
        drain = self._drain if level <= self._drain_level else None
        if level <= self._level or drain:
            ms = self.uptime_ms()  # integers: a single-precision float loses milliseconds after hours
            text = text.format(*args) if args else text
            if level <= self._level:
                self._write("{:6d}.{:03d} {} {}: {}".format(ms // 1000, ms % 1000, "EWID"[level], area, text))
            if drain:
                drain(ms, "EWID"[level], area, text)
