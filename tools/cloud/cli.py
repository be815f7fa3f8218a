"""`python -m tools cloud`: runs the local AWS IoT Core until Ctrl-C."""

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

from .ca import alternative_names
from .cloud import Cloud
from .database import StateError
from .events import Event
from .limits import Limits

DESCRIPTION = "Runs a local AWS IoT Core: MQTT over mutual TLS, policies, fleet provisioning."
EXAMPLES = """\
examples:
  python -m tools cloud
      for simulated devices on this machine
  python -m tools cloud --listen 0.0.0.0 --host 192.168.1.20 --host mypc.local
      for boards on the same network, which reach it by that address or that name

The state directory keeps certificates, things, sessions and retained messages; delete it to start anew.
exit status: 0 after Ctrl-C or SIGTERM, 1 if it cannot start, 2 for wrong arguments
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--listen", metavar="ADDRESS", default="127.0.0.1", help="default: %(default)s")
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
        "--unthrottled",
        action="store_true",
        help="let a client publish as fast as it can; AWS discards what is over 100 publishes a second",
    )
    parser.add_argument(
        "--state", metavar="DIR", type=Path, default=Path("state/cloud"), help="default: %(default)s"
    )


def main(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM; returns the exit status."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    hosts = tuple(dict.fromkeys(["localhost", "127.0.0.1", *args.host]))
    try:
        limits = Limits.unthrottled() if args.unthrottled else Limits()
        cloud = Cloud(args.state, args.listen, args.port, hosts, limits=limits, on_event=_show)
    except StateError as error:
        return _fail(str(error))
    try:
        await cloud.start()
    except OSError as error:
        remedy = "stop what uses it, or give another --port or --listen"
        return _fail(f"cannot listen on {args.listen} port {args.port}: {error.strerror or error}; {remedy}")
    try:
        print(f"AWS IoT Core (local) listens on {args.listen} port {cloud.port}, as {', '.join(hosts)}")
        print(f"state and root certificate: {args.state}, {args.state / 'ca.pem'}", flush=True)
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


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return port
