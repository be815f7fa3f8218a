"""Compiles one module of the device's as `deploy` does, for whoever copies it to a board by hand.

`.venv/bin/python -m tools.board.compile lib/iot/console/lines.py` writes build/lines.mpy.
"""

import argparse
import sys
from pathlib import Path

from tools import application

from .files import CompileError, compile_for_chip


def main() -> int:
    """Returns the exit code: 0, or 1 where the module does not compile."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="of lib/ or firmware/")
    parser.add_argument("--architecture", default="xtensawin", help="as mpy-cross has it; rv32imc: C3, C6")
    options = parser.parse_args()
    root = application.ROOT
    if not options.file.resolve().is_relative_to(root):
        print(f"{options.file}: no file of {root}", file=sys.stderr)
        return 1
    file = options.file.resolve().relative_to(root)
    try:
        module = compile_for_chip(options.file.read_bytes(), file.as_posix(), options.architecture)
    except (CompileError, OSError) as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 1
    target = root / "build" / file.with_suffix(".mpy").name
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(module)
    print(target.relative_to(root))
    return 0


if __name__ == "__main__":
    sys.exit(main())
