"""The command `iot` of the installed package: `python3 -m tools`, from the folder in which it stands."""

import sys
from pathlib import Path


def main() -> int:
    """Run the verb that the command line names; returns its exit status."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tools.__main__ import main  # noqa: PLC0415 - it is found only now

    return main()
