"""Says what a program waits for, where it has been silent for a while: to a person, and in a log."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

SILENCE_S = 20.0


def tell(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)


def turns(pause_s: float, wait_s: float | None) -> Iterator[None]:
    """Again and again, with a pause between, until `wait_s` are over; None: for ever."""
    end_s = None if wait_s is None else time.monotonic() + wait_s
    while True:
        yield
        rest_s = pause_s if end_s is None else min(pause_s, end_s - time.monotonic())
        if rest_s <= 0:
            return
        time.sleep(rest_s)


class Waiting:
    """While it lasts: after 20 s, and again ever more rarely, a line that tells what is waited for.

    It has a thread of its own, so that it also speaks while a call blocks.

    Args:
        what: what is waited for; "" for nothing as yet.
        say: called with each line, in that thread.
    """

    def __init__(self, what: str = "", say: Callable[[str], None] = tell) -> None:
        self._what = what
        self._say = say
        self._since_s = time.monotonic()
        self._told_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def now(self, what: str) -> None:
        """Something has happened, and that is waited for next; "" for nothing."""
        self._what, self._since_s, self._told_s = what, time.monotonic(), 0.0

    def __enter__(self) -> "Waiting":
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SILENCE_S / 20):
            waited_s = time.monotonic() - self._since_s
            if self._what and waited_s >= max(SILENCE_S, 2 * self._told_s):
                self._told_s = waited_s
                self._say(f"… {self._what}, for {waited_s:.0f} s")
