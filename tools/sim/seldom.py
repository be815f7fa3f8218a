"""What changes often, shown now and then."""

import asyncio
from collections.abc import Callable


class Seldom:
    """Passes on the first value of each name, and later ones at most once in `interval_s`: then the latest.

    Called in a running event loop.
    """

    def __init__(self, show: Callable[[str, str], None], interval_s: float = 1.0) -> None:
        self._show = show
        self._interval_s = interval_s
        self._waiting: dict[str, str | None] = {}

    def __call__(self, name: str, text: str) -> None:
        if name in self._waiting:
            self._waiting[name] = text
            return
        self._show(name, text)
        self._waiting[name] = None
        asyncio.get_running_loop().call_later(self._interval_s, self._due, name)

    def _due(self, name: str) -> None:
        text = self._waiting.pop(name)
        if text is not None:
            self(name, text)
