"""The lines of a console: kept, looked through and waited for."""

import re
from collections.abc import Callable
from typing import TypeVar

from tools.news import News

_HISTORY_LINES = 20_000
_LINE_BYTES = 8192
_SHOWN_LINES = 30
_Found = TypeVar("_Found")


class Lines(News):
    """What a console prints, as `lines`; the oldest go where there are too many.

    Args:
        name: whose console it is.
        on_line: called with every line.
        keeps: whether a line counts; those that do not leave no trace.

    Attributes:
        tail: of a line that is not whole yet.
    """

    def __init__(
        self,
        name: str,
        on_line: Callable[[str], None] | None = None,
        keeps: Callable[[str], bool] = lambda _: True,
    ) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.tail = b""
        self._name = name
        self._on_line = on_line
        self._keeps = keeps
        self._passed = 0  # lines that `find` has passed

    def feed(self, data: bytes) -> None:
        """This was printed; a line without an end is cut."""
        *lines, self.tail = (self.tail + data).split(b"\n")
        if len(self.tail) > _LINE_BYTES:
            lines, self.tail = [*lines, self.tail], b""
        for line in lines:
            self._add(line.decode(errors="replace").rstrip("\r"))
        self.tell()

    def end(self) -> None:
        """Nothing more comes: what is left is a line."""
        if self.tail:
            self.feed(b"\n")

    def pass_all(self) -> None:
        """Have `find` begin behind the last line."""
        self._passed = len(self.lines)

    def find(self, *regexes: re.Pattern[str]) -> re.Match[str] | None:
        """The next line in which one of `regexes` is found, behind those that were passed."""
        while self._passed < len(self.lines):
            self._passed += 1
            for regex in regexes:
                if match := regex.search(self.lines[self._passed - 1]):
                    return match
        return None

    async def expect(
        self, pattern: str, timeout_s: float, failure: Callable[[], Exception | None] = lambda: None
    ) -> re.Match[str]:
        """Wait for a line in which `pattern` is found, from behind the line found last; raises as `wait`."""
        regex = re.compile(pattern)
        return await self.wait(lambda: self.find(regex), timeout_s, f"no line with {pattern!r}", failure)

    async def wait(
        self,
        condition: Callable[[], _Found | None],
        timeout_s: float,
        complaint: str,
        failure: Callable[[], Exception | None] = lambda: None,
    ) -> _Found:
        """As `until`, with a TimeoutError that says `complaint` and shows the last lines."""
        try:
            return await self.until(condition, timeout_s, failure)
        except TimeoutError:
            last = "\n".join(self.lines[-_SHOWN_LINES:])
            raise TimeoutError(
                f"{self._name}: {complaint} within {timeout_s:g} s; last lines:\n{last}"
            ) from None

    def _add(self, line: str) -> None:
        if not self._keeps(line):
            return
        self.lines.append(line)
        if len(self.lines) > _HISTORY_LINES:
            dropped = _HISTORY_LINES // 10
            del self.lines[:dropped]
            self._passed = max(0, self._passed - dropped)
        if self._on_line:
            self._on_line(line)
