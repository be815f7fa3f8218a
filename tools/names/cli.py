"""`python3 -m tools names`: whether a board has all names that device code uses."""

import argparse
import sys
from pathlib import Path

from tools import application

from . import check

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = """examples:
  python3 -m tools names                 boot.py, main.py, lib and firmware of this folder
  python3 -m tools names ~/my-firmware   a firmware of your own, which has the library of this folder

What a board has was recorded on an ESP32 with the stock image of MicroPython 1.25, the oldest this is for.
Packages that are put on the board beside your files: --packages FOLDER, as for deploy.

exit status: 0 where all names are there, 1 where some are not, 2 for wrong arguments"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", type=Path, help="folders or files; default: our own"
    )
    parser.add_argument(
        "--packages", metavar="FOLDER", type=Path, action="append", default=[], help="not checked, but there"
    )


def main(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    for path in (*args.paths, *args.packages):
        if not path.exists():
            print(f"names: {path}: no such file or folder", file=sys.stderr)
            return 2
    ours = modules(ROOT / "boot.py", ROOT / "main.py", ROOT / "lib")
    ours |= {
        ".".join(file.relative_to(application.folder()).with_suffix("").parts).removesuffix(".__init__"): file
        for file in application.files(application.folder())
        if file.suffix == ".py"
    }
    shims = ROOT / "tools/sim/shims"  # of what is on some boards, or comes with the product
    beside = ours | modules(shims / "aioble", shims / "camera.py")
    for folder in args.packages:
        beside |= modules(*(path for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"))
    files = modules(*args.paths) if args.paths else ours
    try:
        missing = check.check(files, {name: path for name, path in beside.items() if name not in files})
    except (SyntaxError, UnicodeDecodeError) as error:
        print(f"names: {error}", file=sys.stderr)
        return 1
    for one in missing:
        print(one)
    count = f"{len(files)} files"
    print(
        f"{count}: {len(missing)} names that a board has not"
        if missing
        else f"{count}: a board has every name"
    )
    return int(bool(missing))


def modules(*paths: Path) -> dict[str, Path]:
    """The Python files in `paths` by name: `lib` is on the path, other folders are packages."""
    found: dict[str, Path] = {}
    for path in paths:
        files = [path] if path.is_file() else sorted(path.rglob("*.py"))
        base = path if path.name == "lib" and path.is_dir() else path.parent
        for file in files:
            relative = file.relative_to(base)
            name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
            found[name] = file
    return found
