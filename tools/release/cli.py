"""`python3 -m tools release`: makes, signs, looks at and publishes updates."""

import argparse

from tools.board.errors import run_verb

from . import build, inspect, keygen, publish, root, sbom, sign, watch
from .arguments import EXIT, added

EXAMPLES = f"""examples:
  python3 -m tools release keygen anna.pem                                    each who signs, once
  python3 -m tools release root make --threshold 2 anna.pem.pub ben.pem.pub carla.pem.pub
  python3 -m tools release build --expires 2027-06-01
  python3 -m tools release sign build/release/esp32-iot-1.4.0 --key anna.pem
  python3 -m tools release inspect build/release/esp32-iot-1.4.0
  python3 -m tools release publish build/release/esp32-iot-1.4.0 --thing lamp
  python3 -m tools release watch JOB

docs/updates.md tells what is signed, and by how many. A passphrase is asked for on the terminal, or taken
from RELEASE_PASSPHRASE. With --json a result is {{"ok": true, "value": …}}, a failure {{"ok": false, "text",
"remedy"}}.

{EXIT}"""
# Each module has HELP, EXAMPLES, add_arguments(parser) and run(args), which returns the exit status.
_VERBS = {"keygen": keygen, "root": root, "build": build, "sign": sign, "inspect": inspect, "sbom": sbom}
_VERBS |= {"publish": publish, "watch": watch}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-verbs with their options."""
    actions = parser.add_subparsers(dest="release_verb", metavar="ACTION", required=True)
    for name, module in _VERBS.items():
        module.add_arguments(added(actions, parser, name, module.HELP, module.EXAMPLES))


def main(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit status."""
    name: str = args.release_verb
    return run_verb(f"release {name}", lambda: _VERBS[name].run(args), args.json)
