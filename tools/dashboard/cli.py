"""`python3 -m tools dashboard`: the live page of a local cloud that runs, or of AWS."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from tools import pages
from tools.board.errors import BoardError, run_verb, wrong_arguments
from tools.dashboard.feed import Feed
from tools.dashboard.local import page_of
from tools.dashboard.server import PORT, Dashboard
from tools.dashboard.updating import InFolder, Releases
from tools.signals import stop_event
from tools.thing.account import Account
from tools.thing.arguments import add_cloud
from tools.thing.failures import explained
from tools.waiting import tell

_AWS_FOLDER = Path("state/dashboard")
EXAMPLES = """\
examples:
  python3 -m tools dashboard
      the page of the local cloud that was started last; open the link that it tells
  python3 -m tools dashboard --state /tmp/esp32-aws-iot-k3v/cloud --port 0
      of another one, on any free port
  python3 -m tools dashboard --aws --profile work --region eu-central-1
      of AWS, by the credentials that its CLI takes; it reads and changes nothing
  python3 -m tools dashboard --aws --write --releases build/release --bucket my-releases --role ARN
      the same, and what the page has buttons for is done; releases can be chosen, too
  python3 -m tools dashboard --host 192.168.1.20
      for others on this network as well: whoever has the link that it tells may come in

`make run` and `python3 -m tools cloud` serve their page themselves.
exit status: 0 after Ctrl-C or SIGTERM, 1 if it cannot start, 2 for wrong arguments
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    add_cloud(parser)
    parser.add_argument(
        "--port", type=pages.port, default=PORT, help="0 takes any free one; default: %(default)s"
    )
    parser.add_argument(
        "--host",
        default="localhost",
        help="address to listen on; beyond this computer the link has a token; default: %(default)s",
    )
    parser.add_argument("--write", action="store_true", help="with --aws: the page may change things, too")
    parser.add_argument(
        "--releases", metavar="DIR", type=Path, help="with releases (tools release build) to choose from"
    )
    parser.add_argument("--bucket", metavar="B", help="S3's for them; with --aws")
    parser.add_argument("--role", metavar="ARN", help="with which AWS IoT reads the bucket; with --aws")


def main(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status."""
    if not args.aws and (args.profile or args.region or args.write or args.bucket or args.role):
        return wrong_arguments("dashboard", "--profile, --region, --write, --bucket and --role go with --aws")
    if args.aws and args.releases and not (args.bucket and args.role):
        return wrong_arguments("dashboard", "--aws with --releases needs --bucket and --role")
    return run_verb("dashboard", lambda: asyncio.run(_run(args)))


async def _run(args: argparse.Namespace) -> int:
    options: dict[str, Any] = {"host": args.host, "port": args.port, "releases": _releases(args), "say": tell}
    with stop_event() as stop:
        try:
            made = await (_aws(args, options) if args.aws else page_of(args.state, **options))
            async with made as page:
                print(f"Open {page.url} ; Ctrl-C ends", flush=True)
                await stop.wait()
        except OSError as error:
            raise BoardError(f"the history cannot be kept: {error}", "Make room for it.") from None
    return 0


async def _aws(args: argparse.Namespace, options: dict[str, Any]) -> Dashboard:
    """The page of an account."""
    account = await asyncio.to_thread(Account.chosen, args)

    def endpoint() -> str:
        with explained(account.where):
            return str(account.iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"])

    host = await asyncio.to_thread(endpoint)
    folder = _AWS_FOLDER / f"{host.partition('.')[0]}-{account.region}"

    def feed(on_message: Any) -> Feed:
        return Feed.aws(host, account.credentials, account.region, on_message)

    return Dashboard(account, feed, folder, "aws", writable=args.write, **options)


def _releases(args: argparse.Namespace) -> Releases | None:
    if not args.releases:
        return None
    names = ("aws", "state", "profile", "region", "bucket", "role")
    return InFolder(args.releases, {name: getattr(args, name) for name in names})
