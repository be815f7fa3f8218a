"""Progress on stderr: bars on a terminal, elsewhere a line about what takes long."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console

from tools.waiting import Waiting

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much: 0 where nobody knows


@contextlib.contextmanager
def status(what: str, console: Console | None = None) -> Iterator[None]:
    """What is waited for: seen on a terminal (`console`, else stderr), and elsewhere where it takes long."""
    console = console or Console(stderr=True)
    with console.status(what) if console.is_terminal else Waiting(what):
        yield


@contextlib.contextmanager
def bar() -> Iterator[Progress]:
    """One line for each thing that is done, gone at the end; without a terminal only for what takes long."""
    console = Console(stderr=True)
    if not console.is_terminal:
        with Waiting() as waiting:
            yield lambda what, done, total: waiting.now(what)
        return
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn  # noqa: PLC0415  # takes a while
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (TextColumn("{task.description:20}"), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for earlier in tasks.values():
                    bars.update(earlier, total=1, completed=1)
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done)

        yield progress
