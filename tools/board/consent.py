"""Asks whoever is at the terminal before what cannot be undone; `--yes` goes around it."""

import sys

from tools.stdin import answer

from .errors import BoardError


def check_somebody(what: str) -> None:
    """Raise BoardError, which says what will be, where nobody can be asked."""
    if not sys.stdin.isatty():
        raise BoardError(f"{what}, and nobody is here to be asked", "Say --yes.")


def ask(question: str, as_json: bool) -> None:
    """Raise BoardError unless the answer is yes; the question is no part of what a program reads."""
    file = sys.stderr if as_json else sys.stdout
    print(f"{question} Go on? [y/N] ", end="", file=file, flush=True)
    if answer().strip().lower() not in ("y", "yes"):
        raise BoardError("nothing was changed", "It needs a y, or --yes.")
