"""What can go wrong with a board, said together with what to do about it."""

import sys
from collections.abc import Callable


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


def run_verb(verb: str, function: Callable[[], int]) -> int:
    """What `function` returns; where it raises BoardError, that is printed to stderr and 1 returned."""
    try:
        return function()
    except BoardError as error:
        print(f"{verb}: {error.text}\n{error.remedy}", file=sys.stderr)
        return 1
