"""`aws claim`: what `fleet claim` does, for who sets up an account."""

import argparse

from tools.fleet import claims
from tools.thing.account import Account
from tools.thing.output import Output

EXAMPLES = """examples:
  python3 -m tools aws claim                                     which batches have one, until when
  python3 -m tools aws claim --batch march --until 2027-03-31 --from product.json
      march.json: the product with a claim of its own, which AWS refuses after that day
  python3 -m tools aws claim --batch march --until 2027-03-31 --template FleetTemplate
      march.claim.pem, march.claim.key
  python3 -m tools aws claim --retire march

The same as: python3 -m tools fleet claim --aws.
"""
add_arguments = claims.add_arguments


def run(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Run it; the exit status. Raises BoardError."""
    return claims.claim(account, out, args)
