"""`python3 -m tools product`: writes the file from which the phone's page knows cloud and certificates."""

import argparse
import sys
from pathlib import Path
from typing import Any

from . import document
from .errors import run_verb, wrong_arguments

EXAMPLES = """examples:
  python3 -m tools product product.json --from board.json
      what a configuration has beside its networks, for whichever cloud it is
  python3 -m tools product product.json --endpoint x-ats.iot.eu-central-1.amazonaws.com \\
      --root AmazonRootCA1.pem --template FleetTemplate --claim claim.pem claim.key

A product file is a configuration without `wifi`, its certificates and keys inside. The page reads it
(python3 -m tools phone --product), and so do `configure` and `ble configure`, where --wifi names the network.
It has the claim's key: who gets it can register devices, as far as the provisioning hook lets them. For
another cloud than AWS write the configuration (docs/configuration.md) and take it by --from.

exit status: 0, 1 if it did not work, 2 for wrong arguments"""

_PARTS = ("endpoint", "root", "template", "claim")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.usage = (
        "%(prog)s [-h] OUT --from FILE | OUT --endpoint NAME --root FILE --template NAME "
        "--claim CERTIFICATE KEY [--port N] [--parameter NAME=VALUE]"
    )
    parser.add_argument("out", metavar="OUT", type=Path, help="the file to write, for your eyes only")
    parser.add_argument("--from", dest="source", metavar="FILE", type=Path, help="a configuration")
    parser.add_argument("--endpoint", metavar="NAME", help="the cloud's name or address")
    parser.add_argument("--port", metavar="N", type=int, help="the cloud's; default: 8883")
    parser.add_argument("--root", metavar="FILE", type=Path, help="the certificates that devices trust, PEM")
    parser.add_argument("--template", metavar="NAME", help="the provisioning template")
    parser.add_argument(
        "--claim", metavar=("CERTIFICATE", "KEY"), nargs=2, type=Path, help="the claim's, two PEM files"
    )
    parser.add_argument(
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        type=_parameter,
        help="what the template is given, {id} being the device's id; default: SerialNumber={id}",
    )


def main(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    given = [name for name in (*_PARTS, "port", "parameter") if getattr(args, name) is not None]
    missing = [f"--{name}" for name in _PARTS if name not in given]
    if args.source and given:
        return wrong_arguments("product", f"--from has all of it: leave out --{given[0]}")
    if not args.source and missing:
        return wrong_arguments("product", f"give --from FILE, or also {', '.join(missing)}")
    return run_verb("product", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    product = document.load_product(args.source) if args.source else _made(args)
    for warning in document.product_warnings(product):
        print(f"{args.out}: warning: {warning}", file=sys.stderr)
    document.save_product(args.out, product)
    print(f"{args.out}: devices will call {document.endpoint_of(product)}")
    print(f"next: python3 -m tools phone --product {args.out}")
    return 0


def _made(args: argparse.Namespace) -> dict[str, Any]:
    """The product that the options name."""
    certificate, key = args.claim
    files = {"root_ca": args.root, "claim_certificate": certificate, "claim_key": key}
    aws: dict[str, Any] = {"endpoint": args.endpoint, "template": args.template}
    if args.port is not None:
        aws["port"] = args.port
    if args.parameter:
        aws["parameters"] = dict(args.parameter)
    return document.with_pem(args.out, {"aws": aws | {name: _text(file) for name, file in files.items()}})


def _text(file: Path) -> str:
    return document.read(file, f"{file}", "Name a PEM file.")


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value
