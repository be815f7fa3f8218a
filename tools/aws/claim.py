"""`aws claim`: what `fleet claim` does, for who sets up an account."""

import argparse

from tools.fleet import claims
from tools.thing.account import Account
from tools.thing.failures import explained
from tools.thing.output import Output

from .stack import Stack

EXAMPLES = """examples:
  python3 -m tools aws claim                                     which batches have one, until when
  python3 -m tools aws claim --batch march --until 2027-03-31 --from product.json
      march.json: the product with a claim of its own, which AWS refuses after that day
  python3 -m tools aws claim --batch march --until 2027-03-31
      march.claim.pem, march.claim.key, for the stack's template
  python3 -m tools aws claim --retire march

The same as: python3 -m tools fleet claim --aws, but that it knows the stack's template.
"""
add_arguments = claims.add_arguments


def run(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Run it; the exit status. The template is the stack's, where no other is told. Raises BoardError."""
    if (args.batch or args.minutes) and not (args.template or args.source):
        with explained(account.where, "cloudformation"):
            args.template = Stack(account, out, args.name).outputs().get("ProvisioningTemplate")
    return claims.claim(account, out, args)
