"""`release keygen`: a key that signs, in a file of its own."""

import argparse
import base64
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tools.board.errors import BoardError, writing
from tools.thing.output import Output

from .keys import PASSPHRASE, new_passphrase, public_of
from .pkcs8 import sealed
from .roots import key_id

HELP = "make a key that signs, encrypted, in a file"
EXAMPLES = f"""examples:
  python3 -m tools release keygen anna.pem
  {PASSPHRASE}=… python3 -m tools release keygen build-server.pem --json

FILE gets the private key (P-256, PKCS#8), encrypted with a passphrase that is asked for, or that of
{PASSPHRASE}; FILE.pub the public one, which goes to whoever makes the root. Keep FILE to yourself, and a
copy of it where no network is.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the new key's; it must not be there")


def run(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    public_file = Path(f"{args.file}.pub")
    for file in (args.file, public_file):
        if os.path.lexists(file):
            raise BoardError(f"{file}: is there already", "Choose another name; no key is ever overwritten.")
    key = ec.generate_private_key(ec.SECP256R1())
    _write(args.file, sealed(key, new_passphrase()), 0o600)
    public = key.public_key()
    _write(public_file, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    text = base64.b64encode(public_of(public)).decode()
    value = {"id": key_id(public_of(public)), "key": text, "file": f"{args.file}", "public": f"{public_file}"}
    rows = [("id", value["id"]), ("public key", text), ("files", f"{args.file} (private), {public_file}")]
    Output(args.json).result(value, rows)
    return 0


def _write(file: Path, data: bytes, mode: int) -> None:
    with writing(file), open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as target:
        target.write(data)
        target.flush()
        os.fsync(target.fileno())
