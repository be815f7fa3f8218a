"""`release keygen`: a key that signs, in a file of its own, or in a token."""

import argparse
import base64
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tools.board.errors import BoardError, writing
from tools.thing.output import Output

from . import hsm
from .keys import PASSPHRASE, new_passphrase, public_of
from .pkcs8 import sealed
from .roots import key_id

HELP = "make a key that signs, encrypted, in a file, or in a smart card or an HSM"
EXAMPLES = f"""examples:
  python3 -m tools release keygen anna.pem
  {PASSPHRASE}=… python3 -m tools release keygen build-server.pem --json
  {hsm.MODULE}=/usr/lib/opensc-pkcs11.so python3 -m tools release keygen "{hsm.SCHEME}token=ben;object=key"

FILE gets the private key (P-256, PKCS#8), encrypted with a passphrase that is asked for, or that of
{PASSPHRASE}; FILE.pub the public one, which goes to whoever makes the root. Keep FILE to yourself, and a
copy of it where no network is.

A URI of PKCS#11 (RFC 7512) in place of FILE makes the key in that token, which never gives it away: there is
no copy then, and the public key is what is printed. The token's library is that of {hsm.MODULE}, or of
?module-path=… in the URI; the PIN is asked for, or that of {hsm.PIN}.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE", help="the new key's, or pkcs11:…; it must not be there")


def run(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    if args.file.startswith(hsm.SCHEME):
        files: dict[str, str] = {}
        public = hsm.place(args.file).generate()
    else:
        public, files = _in_files(Path(args.file))
    value = {"id": key_id(public), "key": base64.b64encode(public).decode(), **files}
    rows = [("id", value["id"]), ("public key", value["key"])]
    rows.append(("files", f"{files['file']} (private), {files['public']}") if files else ("in", args.file))
    Output(args.json).result(value, rows)
    return 0


def _in_files(file: Path) -> tuple[bytes, dict[str, str]]:
    """Make a key and its files; returns the public half, and what these are called. Raises BoardError."""
    public_file = Path(f"{file}.pub")
    for one in (file, public_file):
        if os.path.lexists(one):
            raise BoardError(f"{one}: is there already", "Choose another name; no key is ever overwritten.")
    key = ec.generate_private_key(ec.SECP256R1())
    _write(file, sealed(key, new_passphrase()), 0o600)
    public = key.public_key()
    _write(public_file, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return public_of(public), {"file": f"{file}", "public": f"{public_file}"}


def _write(file: Path, data: bytes, mode: int) -> None:
    with writing(file), open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as target:
        target.write(data)
        target.flush()
        os.fsync(target.fileno())
