"""The virtual environment that `make setup` makes: who starts a verb with another Python goes on in there.

Any Python must be able to read this file and __main__.py: they are all that runs outside.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PYTHON = "Scripts/python.exe" if os.name == "nt" else "bin/python"
_ENTERED = "entered"  # -X of the Python that goes on, so that none starts another for ever
_OWN = ("boot", "firmware", "iot", "tools")


def enter(venv: Path = ROOT / ".venv") -> None:
    """Run this program again under `venv`'s Python, and return only where this is that one or there is none.

    Raises:
        SystemExit: the environment is broken, or there is none and this Python is too old.
    """
    there = (venv / "pyvenv.cfg").is_file()
    if there and _ENTERED not in sys._xoptions and not os.path.samefile(venv, sys.prefix):
        command = [str(venv / _PYTHON), "-X", _ENTERED, "-m", "tools", *sys.argv[1:]]
        try:
            if os.name == "nt":  # whose exec ends the program for the shell that waits for it
                sys.exit(subprocess.call(command))
            os.execv(command[0], command)  # noqa: S606
        except OSError as error:
            sys.exit(f"tools: {command[0]} does not start: {error.strerror}; delete {venv}, then: make setup")
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit("tools: Python 3.11 or newer is needed; where there is one: make setup PYTHON=/path/to/it")


def explain_missing(verb: str, module: str) -> str:
    """Why a verb cannot be imported where it lacks this module; "" where that is a fault of ours."""
    name = module.partition(".")[0]
    if name in _OWN:
        return ""
    if name in sys.stdlib_module_names:
        return f"{verb}: does not run on this system, whose Python has no {name}"
    return f"{verb}: Python's package {name} is missing; what it needs is installed by: make setup"
