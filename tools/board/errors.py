"""What can go wrong with a board, said together with what to do about it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class BoardError(Exception):
    """A failure that a user can meet.

    Args:
        text: what happened, naming port, file or board.
        remedy: what to do next.
    """

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(f"{text}; {remedy}")
        self.text = text
        self.remedy = remedy


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """While that file is written: BoardError where it cannot be."""
    try:
        yield
    except OSError as error:
        reason = f"{path}: cannot be written: {error.strerror}"
        raise BoardError(reason, "Use a place that can be written.") from None


def run_verb(verb: str, function: Callable[[], int], as_json: bool = False) -> int:
    """What `function` returns; where it raises BoardError, that is told and 1 returned."""
    try:
        return function()
    except BoardError as error:
        tell_failure(f"{verb}: {error.text}\n{error.remedy}", as_json, text=error.text, remedy=error.remedy)
        return 1


def wrong_arguments(verb: str, text: str, as_json: bool = False) -> int:
    """Tell what argparse cannot know of; the exit status, 2."""
    tell_failure(f"{verb}: {text}", as_json, text=text, remedy=f"python3 -m tools {verb} --help tells them.")
    return 2


def tell_failure(message: str, as_json: bool, **members: str) -> None:
    """A failure for people on stderr, and `as_json` for programs on stdout: {"ok": false, …}."""
    print(message, file=sys.stderr, flush=True)
    if as_json:
        print(json.dumps({"ok": False, **members}), flush=True)
