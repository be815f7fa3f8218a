"""Progress bars on stderr, for what takes over a second."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much: 0 where nobody knows


@contextlib.contextmanager
def bar() -> Iterator[Progress]:
    """One line for each thing that is done, gone at the end; nothing at all where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:20}"), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for earlier in tasks.values():
                    bars.update(earlier, total=1, completed=1)
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done)

        yield progress
