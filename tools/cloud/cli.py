"""`python3 -m tools cloud`: runs the local AWS IoT Core until Ctrl-C."""

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

from tools.board import document
from tools.board.errors import run_verb

from .ca import CHAINS
from .certificates import alternative_names
from .cloud import Cloud
from .database import StateError
from .events import Event
from .hook import Hook, program
from .limits import Limits

DESCRIPTION = "Runs a local AWS IoT Core: MQTT over mutual TLS, policies, fleet provisioning."
EXAMPLES = """\
examples:
  python3 -m tools cloud
      for simulated devices on this machine
  python3 -m tools cloud --host 192.168.1.20 --host mypc.local
      also for boards on the same network, which reach it by that address or that name
  python3 -m tools cloud --host 192.168.1.20 --wifi "Home:correct horse" --write-config board.json
      the same; a board joins it with: python3 -m tools configure PORT board.json
  python3 -m tools cloud --server-chain rsa --state state/cloud-rsa
      asks as much memory and time of a device as AWS

The state directory keeps certificates, things, sessions and retained messages; delete it to start anew.
exit status: 0 after Ctrl-C or SIGTERM, 1 if it cannot start, 2 for wrong arguments
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--listen", metavar="ADDRESS", help="default: 127.0.0.1, or with --host all interfaces, 0.0.0.0"
    )
    parser.add_argument("--port", type=_port, default=8883, help="0 takes any free one; default: %(default)s")
    parser.add_argument(
        "--host",
        metavar="NAME_OR_ADDRESS",
        action="extend",
        nargs="+",
        type=_host,
        default=[],
        help="what devices call this machine, beside localhost and 127.0.0.1",
    )
    parser.add_argument(
        "--server-chain",
        choices=CHAINS,
        default="p256",
        help="p256: a certificate that the root signed; rsa: a chain of three and RSA keys, as AWS; "
        "the state directory stays with its first (default: %(default)s)",
    )
    parser.add_argument(
        "--write-config",
        metavar="FILE",
        type=Path,
        help="write a configuration for boards, its certificates beside it; they use the first --host",
    )
    parser.add_argument(
        "--wifi",
        metavar="SSID:PASSWORD",
        action="append",
        type=_network,
        help="a network for FILE; without a password behind the colon an open one; may be repeated",
    )
    parser.add_argument(
        "--hook",
        metavar="MODULE:FUNCTION",
        type=_hook,
        help="decides which devices may be provisioned, as AWS's pre-provisioning hook: a function of the "
        "form of a Lambda's handler, or a command that reads JSON and answers by JSON",
    )
    parser.add_argument(
        "--unthrottled",
        action="store_true",
        help="let a client publish as fast as it can; AWS discards what is over 100 publishes a second",
    )
    parser.add_argument(
        "--state", metavar="DIR", type=Path, default=Path("state/cloud"), help="default: %(default)s"
    )


def main(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM; returns the exit status."""
    if (args.write_config is None) != (args.wifi is None):
        print("cloud: --write-config and --wifi go together", file=sys.stderr)
        return 2
    args.listen = args.listen or ("0.0.0.0" if args.host else "127.0.0.1")  # noqa: S104
    return run_verb("cloud", lambda: asyncio.run(_run(args)))


async def _run(args: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    hosts = tuple(dict.fromkeys(["localhost", "127.0.0.1", *args.host]))
    try:
        limits = Limits.unthrottled() if args.unthrottled else Limits()
        cloud = Cloud(
            args.state,
            args.listen,
            args.port,
            hosts,
            server_chain=args.server_chain,
            limits=limits,
            on_event=_show,
            hook=args.hook,
        )
    except StateError as error:
        return _fail(str(error))
    try:
        await cloud.start()
    except OSError as error:
        remedy = "stop what uses it, or give another --port or --listen"
        return _fail(f"cannot listen on {args.listen} port {args.port}: {error.strerror or error}; {remedy}")
    try:
        chain = "; it shows a chain of RSA" if args.server_chain == "rsa" else ""
        print(
            f"AWS IoT Core (local) listens on {args.listen} port {cloud.port}, as {', '.join(hosts)}{chain}"
        )
        print(f"state and root certificate: {args.state}, {args.state / 'ca.pem'}", flush=True)
        if args.write_config:
            document.save(
                args.write_config, cloud.device_configuration(args.wifi, [*args.host, "localhost"][0])
            )
            print(f"next: python3 -m tools configure PORT {args.write_config}", flush=True)
        await stop.wait()
    finally:
        await cloud.stop()
    return 0


def _show(event: Event) -> None:
    print(time.strftime("%H:%M:%S"), event, flush=True)


def _fail(text: str) -> int:
    print(f"cloud: {text}", file=sys.stderr)
    return 1


def _host(text: str) -> str:
    try:
        alternative_names((text,))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _hook(text: str) -> Hook:
    try:
        return program(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _network(text: str) -> dict[str, str]:
    ssid, colon, password = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError("must be SSID:PASSWORD, or SSID: for an open network")
    return {"ssid": ssid, "password": password}


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return port
