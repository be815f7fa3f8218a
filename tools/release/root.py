"""`release root`: whose signatures count, and how that changes."""

import argparse
from pathlib import Path

from tools.board import settings
from tools.board.errors import BoardError
from tools.thing.output import Output

from . import arguments, folder, roots
from .contents import line_changes
from .judging import standings
from .manifest import FormError
from .roots import KEYS_MAX, Root, key_id

HELP = "say whose signatures count, and change that"
EXAMPLES = """examples:
  python3 -m tools release root make --threshold 2 anna.pem.pub ben.pem.pub build-server.pem.pub
  python3 -m tools release root show
  python3 -m tools release root rotate 1f2e3d4c 77aa10b2 carla.pem.pub
"""
_MAKE = """examples:
  python3 -m tools release root make --threshold 2 anna.pem.pub ben.pem.pub awskms:alias/build-server
  python3 -m tools release root make "pkcs11:token=ben;object=release?module-path=/usr/lib/opensc-pkcs11.so"
  python3 -m tools release root make --threshold 1 BJ0eX1… --out firmware/update_root.py --json

KEY is a file with either half of a key in PEM, the base64 that keygen has printed, awskms:KEY-ID, or a key in
a smart card or an HSM (keygen --help). The root goes into every device that is deployed, and says there whose
updates count. 2 of 3 is a good choice: nobody can do it alone, and nobody's loss stops updates.
"""
_ROTATE = """examples:
  python3 -m tools release root rotate 1f2e3d4c 77aa10b2 carla.pem.pub
  python3 -m tools release root rotate --threshold 3 1f2e3d4c 77aa10b2 0c9d8e7f

The KEYs are all that the next root has; one that stays may be named by its id. It counts when as many keys of
the present root have signed it as that asks for, and as many of its own as it asks for: release sign FOLDER.
"""
_ADOPT = """examples:
  python3 -m tools release root adopt build/release/esp32-iot-root-2

The root of a folder, signed by all it needs, becomes that of firmware/update_root.py, for devices yet to be
made. Those in the field get it by a job.
"""
_SHOW = """examples:
  python3 -m tools release root show
  python3 -m tools release root show build/release/esp32-iot-root-2/root --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    one = arguments.added(actions, parser, "make", "write the first root of a product", _MAKE)
    one.set_defaults(act=_make)
    one.add_argument("--product", metavar="P", help="default: PRODUCT of firmware/settings.py")
    one.add_argument("--threshold", metavar="M", type=arguments.number(1, KEYS_MAX), required=True)
    one.add_argument("--out", metavar="FILE", type=Path, help="default: firmware/update_root.py")
    _add_keys(one)
    one = arguments.added(actions, parser, "rotate", "make the root that follows, to be signed", _ROTATE)
    one.set_defaults(act=_rotate)
    one.add_argument("--threshold", metavar="M", type=arguments.number(1, KEYS_MAX), help="default: as it is")
    one.add_argument(
        "--out", metavar="DIR", type=Path, default=arguments.OUT, help=f"default: {arguments.OUT}"
    )
    arguments.add_root(one)
    _add_keys(one)
    one = arguments.added(actions, parser, "adopt", "have new devices begin with a root that follows", _ADOPT)
    one.set_defaults(act=_adopt)
    one.add_argument("folder", metavar="FOLDER", type=Path)
    arguments.add_root(one)
    one = arguments.added(actions, parser, "show", "whose signatures count", _SHOW)
    one.set_defaults(act=_show)
    one.add_argument("file", metavar="FILE", type=Path, nargs="?", help="default: firmware/update_root.py")


def _add_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "key", metavar="KEY", nargs="+", help=f"1 to {KEYS_MAX}: a file, base64, awskms:KEY-ID, pkcs11:…"
    )
    arguments.add_aws(parser)


def run(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    status: int = args.act(args)
    return status


def _make(args: argparse.Namespace) -> int:
    path = args.out or arguments.root_path()
    if path.exists():
        raise BoardError(
            f"{path}: is there already, and devices may have it",
            "Change it by a root that they accept: python3 -m tools release root rotate.",
        )
    product = args.product or settings.values().get("PRODUCT", "")
    root = Root(product, 1, args.threshold, tuple(arguments.keys(args).public(key) for key in args.key))
    _text(root)
    roots.save(path, root)
    _told(args, root, path)
    return 0


def _rotate(args: argparse.Namespace) -> int:
    present = roots.load(args.root or arguments.root_path())
    known = {key_id(key): key for key in present.keys}
    all_keys = arguments.keys(args)
    keys = tuple(known[name] if name in known else all_keys.public(name) for name in args.key)
    root = Root(present.product, present.version + 1, args.threshold or present.threshold, keys)
    target = args.out / f"{root.product}-root-{root.version}"
    folder.save(target, {folder.ROOT: _text(root)})
    rows = [("folder", f"{target}")]
    rows += [("", line) for line in line_changes(present.text(), root.text())]
    judged = standings(folder.load(target), present)
    rows += [(f"root {one.root.version}", f"{one}") for one in judged]
    rows += [("next", f"python3 -m tools release sign {target} --key FILE")]
    value = _value(root) | {
        "folder": f"{target}",
        "missing": {f"{it.root.version}": it.missing for it in judged},
    }
    Output(args.json).result(value, rows)
    return 0


def _adopt(args: argparse.Namespace) -> int:
    path = args.root or arguments.root_path()
    present, release = roots.load(path), folder.load(args.folder)
    judged = standings(release, present)
    if not isinstance(release.signed, Root):
        raise BoardError(f"{args.folder}: an update, no root", "Name a folder that root rotate has made.")
    for one in judged:
        if not one.is_complete:
            raise BoardError(
                f"{args.folder}: by root {one.root.version} {one}",
                f"Have it signed: python3 -m tools release sign {args.folder} --key FILE",
            )
    roots.save(path, release.signed)
    _told(args, release.signed, path)
    return 0


def _show(args: argparse.Namespace) -> int:
    path = args.file or arguments.root_path()
    _told(args, roots.load(path), path)
    return 0


def _told(args: argparse.Namespace, root: Root, path: Path) -> None:
    rows = [("root", f"{path}: version {root.version}, for {root.product}")]
    rows += [("counts", f"{root.threshold} of {len(root.keys)} keys: {', '.join(root.ids)}")]
    Output(args.json).result(_value(root) | {"file": f"{path}"}, rows)


def _value(root: Root) -> dict[str, object]:
    return {"product": root.product, "version": root.version, "threshold": root.threshold, "keys": root.ids}


def _text(root: Root) -> bytes:
    try:
        return root.text()
    except FormError as error:
        raise BoardError(
            f"no root can say this: {error}", "docs/updates.md tells what each line takes."
        ) from None
