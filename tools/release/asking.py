"""What only its owner knows: from the environment, or asked for at the terminal; never an argument."""

import getpass
import os
import sys

from tools.board.errors import BoardError


def secret(variable: str, called: str, prompt: str) -> str:
    """A passphrase or a PIN.

    Args:
        variable: of the environment, where there is nobody to ask.
        called: what an error calls it, as "a PIN".
        prompt: what the terminal shows.

    Raises BoardError where there is neither.
    """
    if variable in os.environ:
        return os.environ[variable]
    if not sys.stdin.isatty():
        raise BoardError(
            f"{called} is needed, and there is no terminal to ask for it",
            f"Run it in a terminal, or have {variable} in its environment.",
        )
    return getpass.getpass(prompt)
