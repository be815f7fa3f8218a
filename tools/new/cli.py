"""`python3 -m tools new`: makes an application of one's own, with tests, in a folder of its own."""

import argparse
import json
from pathlib import Path

from tools.board.errors import run_verb

from . import project

EXAMPLES = """examples:
  python3 -m tools new ~/lamp                       the tools and the library are those of this folder
  python3 -m tools new ~/lamp --from github:OWNER/REPOSITORY@v0.1.0
                                                    they are taken from there: the folder can go anywhere
  python3 -m tools new lamp --json

The last part of NAME is the product's name and the beginning of its devices'. In the folder `make` tells what
there is: make dev, make test, make deploy.

exit status: 0, 1 if it did not work (then nothing is left behind), 2 for wrong arguments"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("name", metavar="NAME", type=Path, help="the folder to make, outside of this one")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="SOURCE",
        help="github:OWNER/REPOSITORY[@REFERENCE], of the tools and the library; default: this folder",
    )
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")


def main(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    return run_verb("new", lambda: _run(args), args.json)


def _run(args: argparse.Namespace) -> int:
    made = project.make(args.name, project.source(args.source))
    if args.json:
        print(json.dumps({"ok": True, "value": {"folder": f"{args.name.resolve()}", "files": made}}))
        return 0
    print(f"{args.name}: {len(made)} files, among them firmware/app.py and tests/test_app.py")
    print(f"next: cd {args.name} && make dev")
    return 0
