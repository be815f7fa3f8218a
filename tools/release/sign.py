"""`release sign`: adds a key's signature, after what is signed was built again and compared."""

import argparse
import dataclasses
from pathlib import Path

from tools.board.errors import BoardError
from tools.board.progress import bar
from tools.thing.output import Output, note

from . import arguments, folder, roots
from .comparing import compare
from .folder import Release
from .inspect import about
from .judging import faults, standings
from .keys import Signer
from .manifest import Manifest
from .roots import key_id
from .signatures import Signature, is_good

HELP = "sign a release or a root, after it was built again and compared"
EXAMPLES = """examples:
  python3 -m tools release sign build/release/esp32-iot-1.4.0 --key anna.pem
  python3 -m tools release sign build/release/esp32-iot-1.4.0 --key awskms:alias/ci --region eu-central-1
  python3 -m tools release sign build/release/esp32-iot-root-2 --key anna.pem
  PKCS11_MODULE=/usr/lib/opensc-pkcs11.so python3 -m tools release sign build/release/esp32-iot-1.4.0 \\
      --key "pkcs11:token=ben;object=release"
  python3 -m tools release sign build/release/esp32-iot-1.4.0 --signature ben.der

Each signs in turn, at a checkout of the release's commit: it is built again there, and where a byte differs
nothing is signed. An update of the image is compared with your own copy of MicroPython's file: --image.
A key in a smart card or an HSM is called by its URI of PKCS#11 (keygen --help); its PIN is asked for, or that
of RELEASE_PIN. Whatever else holds a key of P-256 can sign, too: --signature takes what it has made of the
bytes of the file manifest (or root), in DER.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a release's, or that of a root")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--key", metavar="KEY", help="a key's file, pkcs11:…, or awskms:KEY-ID")
    which.add_argument("--signature", metavar="FILE", help="a signature that was made elsewhere, in DER")
    parser.add_argument("--no-compare", action="store_true", help="do not build it again")
    arguments.add_root(parser)
    arguments.add_aws(parser)
    arguments.add_source(parser)


def run(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    release = folder.load(args.folder)
    root = roots.load(args.root or arguments.root_path())
    judged = standings(release, root)
    out = Output(args.json)
    if not args.json:
        out.table(about(release, root, with_modules=False))
    if isinstance(release.signed, Manifest):
        if reasons := faults(release):
            raise BoardError(f"{args.folder}: {'; '.join(reasons)}", "Build it anew.")
        if not args.no_compare:
            with bar() as progress:
                left = compare(release, arguments.source(args), progress)
            note("built again from here: not a byte differs")
            if left:  # which is no harm: what comes out of one has the manifest's hash, or is refused
                note(f"not built again, without their --base: {', '.join(left)}")
    known = {key_id(key): key for one in judged for key in one.root.keys}
    signature = (
        _made_elsewhere(args.signature, release, known) if args.signature else _made(args, release, known)
    )
    there = [one for one in release.signatures if one.key_id == signature.key_id]
    is_new = not any(is_good(known[one.key_id], release.text, one.der) for one in there)
    if is_new:  # a bad one of this key makes room
        kept = [one for one in release.signatures if one not in there]
        release = dataclasses.replace(release, signatures=[*kept, signature])
        folder.write_signatures(release.folder, release.signatures)
    judged = standings(release, root)
    value = {
        "key": signature.key_id,
        "new": is_new,
        "complete": all(one.is_complete for one in judged),
        "signatures": {f"{it.root.version}": {"good": it.good, "missing": it.missing} for it in judged},
    }
    rows = [("signed", f"by {signature.key_id}" if is_new else f"{signature.key_id} has signed it before")]
    out.result(value, [*rows, *((f"root {it.root.version}", f"{it}") for it in judged)])
    return 0


def _made(args: argparse.Namespace, release: Release, known: dict[str, bytes]) -> Signature:
    signer: Signer = arguments.keys(args).signer(args.key)
    name = key_id(signer.public)
    if name not in known:
        raise BoardError(
            f"{args.key}: key {name} is none of the root's",
            f"These are: {', '.join(known)}. Name one of them.",
        )
    return Signature(name, signer.sign(release.text))


def _made_elsewhere(file: str, release: Release, known: dict[str, bytes]) -> Signature:
    der = folder.read_file(Path(file))
    for name, key in known.items():
        if is_good(key, release.text, der):
            return Signature(name, der)
    raise BoardError(
        f"{file}: no signature of {release.signed_path} by a key of the root",
        "It must be ECDSA over the SHA-256 of that file's bytes, in DER.",
    )
