"""`python3 -m tools sim files`: what is in a simulated device's flash, and copies from and to it."""

import argparse
from pathlib import Path, PurePosixPath
from typing import Any

from tools.sim.files import FlashPath, Image

EXAMPLES = """\
examples:
  python3 -m tools sim files                                 lists all there is
  python3 -m tools sim files ls :lib                         a folder and all below it
  python3 -m tools sim files cp :certs /tmp/certs            a file or a folder from the device
  python3 -m tools sim files cp app.py :firmware/app.py      to a device without power

exit status: 0, 1 if a file is not there or cannot be written, 2 for wrong arguments
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this part of the verb."""
    parser.description = (
        "Lists the files of a simulated device, or copies some. Paths on it begin with a colon."
    )
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--folder", type=Path, default=argparse.SUPPRESS, help="its flash, as for `sim`")
    actions = parser.add_subparsers(dest="action", metavar="ls | cp")
    shown: dict[str, Any] = {"formatter_class": parser.formatter_class, "epilog": EXAMPLES}
    listing = actions.add_parser("ls", help="list a folder and all below it", **shown)
    listing.add_argument("path", nargs="?", default=":", help="by default all; for example :lib")
    copying = actions.add_parser("cp", help="copy a file, or a folder with all below it", **shown)
    copying.add_argument("source", help="on the device with a colon, else here")
    copying.add_argument("target", help="the new name; it is written over")


def main(args: argparse.Namespace) -> int:
    """List or copy. Raises OSError, which names the path."""
    file = args.folder / "vfs.bin"
    if not file.exists():
        raise FileNotFoundError(f"{file}: there is no flash; `python3 -m tools sim --folder …` makes one")
    image = Image(file)
    if args.action == "cp":
        _copy(image, args.source, args.target)
    else:
        _list(image, getattr(args, "path", ":"))
    return 0


def _list(image: Image, text: str) -> None:
    folder = _on_device(image, text)
    if not folder:
        raise OSError(f"{text}: a path on the device begins with a colon")
    if not folder.exists():
        raise FileNotFoundError(f":{folder}: no such file or folder")
    for path in folder.rglob("*") if folder.is_dir() else [folder]:
        size = "" if path.is_dir() else str(len(path.read_bytes()))
        print(f"{size:>8} :{path}{'/' if path.is_dir() else ''}")
    with image.read() as vfs:
        block, _, blocks, free = vfs.statvfs("/")[:4]
    print(f"{block * free:>8} bytes of {block * blocks} are free")


def _copy(image: Image, source: str, target: str) -> None:
    here, there = _on_device(image, source), _on_device(image, target)
    if here and not there:
        _copy_out(here, Path(target))
    elif there and not here:
        _copy_in(image, Path(source), PurePosixPath(str(there)))
    else:
        raise OSError("one of the two paths is on the device, and begins with a colon")


def _copy_out(source: FlashPath, target: Path) -> None:
    if not source.exists():
        raise FileNotFoundError(f":{source}: no such file or folder")
    if not source.is_dir():
        target.write_bytes(source.read_bytes())
        return
    target.mkdir(exist_ok=True)
    for path in source.iterdir():
        _copy_out(path, target / path.name)


def _copy_in(image: Image, source: Path, target: PurePosixPath) -> None:
    """All of it or, where there is no room, nothing."""
    paths = [path for path in sorted(source.rglob("*")) if path.is_file()] if source.is_dir() else [source]
    image.install({str(target / path.relative_to(source)): path.read_bytes() for path in paths})


def _on_device(image: Image, text: str) -> FlashPath | None:
    return image.root / text[1:] if text.startswith(":") else None
