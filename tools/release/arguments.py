"""Options that several sub-verbs have."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools import application
from tools.board import files, packages

from .keys import Keys
from .making import Source

EXIT = "exit status: 0, 1 if it did not work, 2 for wrong arguments, 130 after Ctrl-C"
OUT = Path("build/release")


def added(
    actions: Any, like: argparse.ArgumentParser, name: str, text: str, examples: str
) -> argparse.ArgumentParser:
    """A sub-verb's parser, with --json, its help and its examples."""
    made: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=text, formatter_class=like.formatter_class, epilog=f"{examples}\n{EXIT}"
    )
    made.add_argument("--json", action="store_true", help="one JSON object as the result")
    return made


def root_path() -> Path:
    """Where a product's root is."""
    return application.folder(files.ROOT) / "firmware/update_root.py"


def add_root(parser: argparse.ArgumentParser) -> None:
    """Which root counts."""
    parser.add_argument(
        "--root", metavar="FILE", type=Path, help="the root that counts; default: firmware/update_root.py"
    )


def add_aws(parser: argparse.ArgumentParser) -> None:
    """Whose AWS KMS a key is in."""
    parser.add_argument("--profile", metavar="P", help="of AWS's configuration, for a key in KMS")
    parser.add_argument("--region", metavar="R", help="of AWS")


def keys(args: argparse.Namespace) -> Keys:
    """What finds the keys that are named."""
    return Keys(args.profile, args.region)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Where a release's parts come from."""
    parser.add_argument("--image", metavar="FILE", type=Path, help="MicroPython's .bin or .app-bin")
    parser.add_argument(
        "--base",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="what devices have, a release's folder or its file, or MicroPython's: with a delta from it",
    )
    packages.add_arguments(parser, "leave it out")


def source(args: argparse.Namespace) -> Source:
    """What `add_source` has asked for."""
    return Source(args.image, args.packages, args.index, not args.no_packages, tuple(args.base))


def number(least: int, most: int) -> Callable[[str], int]:
    """Of an option: a number from `least` to `most`."""

    def parse(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be {least} to {most}")
        return value

    return parse
