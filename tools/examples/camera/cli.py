"""`python3 -m tools camera`: a camera, its service and its page, all of it on this computer."""

import argparse
import asyncio
import contextlib
import os
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tools import application, pages
from tools.board import settings
from tools.board.errors import BoardError, run_verb, wrong_arguments
from tools.cloud import Cloud, StateError
from tools.cloud.endpoint import is_page, kept_port
from tools.cloud.events import Event
from tools.configure import ConfigureError, configure
from tools.examples.camera.local import LocalService, PageServer
from tools.examples.camera.service.snapshots import Snapshots
from tools.signals import stop_event
from tools.sim import Device, World
from tools.sim.pictures import PICTURE_BYTES
from tools.sim.wiring import WiringError, check
from tools.timeline import Timeline

APPLICATION = Path(__file__).resolve().parents[3] / "firmware/examples/camera"
PORT = 8010
EXAMPLES = """\
examples:
  python3 -m tools camera                a simulated camera with its page; open the link that it tells
  python3 -m tools camera --pictures ~/Pictures
                                         it sees the pictures of that folder, one after the other
  python3 -m tools camera --bytes 2000000
                                         or draws some of that size
  python3 -m tools camera --once         end with the first picture: 0, or 1 and the reason
  python3 -m tools camera --state DIR    keep all of it in DIR, and go on with it the next time

  python3 -m tools aws up camera         all of it on AWS, but for the camera
  python3 -m tools camera --link --profile work
                                         the link of its page there; whoever has it may open it

exit status: 0, also after Ctrl-C; 1 if it cannot start, or --once gets no picture; 2 for wrong arguments
"""
_WIFI = {"ssid": "Home", "password": "correct horse"}
_MAC = "24:0a:c4:00:00:01"
_LOOK_S = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--once", action="store_true", help="end with the first picture")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="keep pictures, cloud and flash here (default: nowhere)"
    )
    parser.add_argument(
        "--port",
        type=pages.port,
        default=PORT,
        help="of the page; 0 takes any free one; default: %(default)s",
    )
    sees = parser.add_mutually_exclusive_group()
    sees.add_argument("--pictures", type=Path, metavar="DIR", help="what the camera sees, in turn")
    sees.add_argument(
        "--bytes",
        type=int,
        default=PICTURE_BYTES,
        metavar="N",
        help="of a picture that is drawn; default: %(default)s",
    )
    parser.add_argument(
        "--timeout", type=float, default=120, metavar="S", help="for the first picture (default: %(default)s)"
    )
    parser.add_argument("--link", action="store_true", help="tell the link of the page on AWS, and end")
    parser.add_argument("--name", metavar="N", default="iot", help="with --link: as for `aws up`")
    parser.add_argument("--profile", metavar="P", help="with --link: of AWS's configuration")
    parser.add_argument("--region", metavar="R", help="with --link: of AWS")
    parser.add_argument(
        "--micropython",
        default=os.environ.get("MICROPYTHON") or None,
        metavar="PATH",
        help="run the device on this MicroPython unix binary (default: $MICROPYTHON, else CPython)",
    )


def main(args: argparse.Namespace) -> int:
    """Run until Ctrl-C, or with --once until there is a picture; returns the exit status."""
    if args.link:
        return run_verb("camera", lambda: _link(args))
    try:
        check("camera", _sees(args))
    except WiringError as error:
        return wrong_arguments("camera", str(error))
    os.environ.setdefault(application.SETTING, str(APPLICATION))  # or another one that uploads pictures
    return run_verb("camera", lambda: asyncio.run(_run(args)))


def _sees(args: argparse.Namespace) -> str | int:
    """What is wired to the device as its camera."""
    return str(args.pictures) if args.pictures else args.bytes


def _link(args: argparse.Namespace) -> int:
    from tools.aws import tokens  # noqa: PLC0415  the rest needs none of it
    from tools.aws.stack import Stack  # noqa: PLC0415
    from tools.aws.stacks import STACKS, stack_name  # noqa: PLC0415
    from tools.thing.account import Account  # noqa: PLC0415
    from tools.thing.failures import explained  # noqa: PLC0415
    from tools.thing.output import Output  # noqa: PLC0415

    with explained("AWS"):  # where its configuration is read
        account = Account.aws(args.profile, args.region)
    with explained(account.where, "cloudformation"):
        page = Stack(account, Output(False), stack_name(args.name, "camera")).outputs().get("Page")
    [name] = STACKS["camera"].token_names(args.name)
    token = tokens.read(account, name) if page else None
    if token is None:
        raise BoardError(
            f"{account.where}: there is no page of the cameras", "First: python3 -m tools aws up camera"
        )
    print(f"{page}/?token={token}")
    return 0


async def _run(args: argparse.Namespace) -> int:
    timeline = Timeline(Console())
    with stop_event() as stop:
        try:
            async with contextlib.AsyncExitStack() as stack:
                await _bring_up(stack, args, timeline, stop)
        except (StateError, ConfigureError, OSError) as error:
            raise BoardError(str(error), "Is another one running with this --state?") from None
    return 0


async def _bring_up(
    stack: contextlib.AsyncExitStack, args: argparse.Namespace, timeline: Timeline, stop: asyncio.Event
) -> None:
    """Start all parts, the cloud first; raises BoardError where --once does not get its picture."""
    folder = args.state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="esp32-camera-")))
    local = LocalService()
    cloud = await stack.enter_async_context(
        Cloud(
            folder / "cloud",
            port=kept_port(folder / "cloud"),
            rules=dict(local.rules()),
            files_port=0,
            rest_port=0,
            on_event=lambda event: _tell(event, timeline),
        )
    )
    timeline.say("cloud", "", f"AWS IoT Core and S3 on this machine, at localhost:{cloud.port}")
    service = await asyncio.to_thread(local.open, cloud)
    page = stack.enter_context(PageServer(service, args.port))
    timeline.say("page", "", f"the pictures, and a button for one: {page.url}", "bold")
    world = await stack.enter_async_context(World({_WIFI["ssid"]: _WIFI["password"]}))
    name = settings.device_name(_MAC)
    device = Device(
        folder / "device",
        world,
        _MAC,
        args.micropython,
        on_line=lambda line: timeline.device_line(name, line),
    )
    await _start(device, cloud, args)
    stack.push_async_callback(device.power_off)
    first = asyncio.create_task(_first(service.snapshots, name, timeline))
    stack.callback(first.cancel)
    if not args.once:
        await stop.wait()
        return
    try:
        await asyncio.wait_for(first, args.timeout)
    except TimeoutError:
        last = device.lines[-1] if device.lines else "nothing"
        reason = f"no picture within {args.timeout:g} s; {name} said last: {last}"
        raise BoardError(reason, "Run it without --once, and read what the device says.") from None


async def _start(device: Device, cloud: Cloud, args: argparse.Namespace) -> None:
    """Power the simulated camera on, and have it configured where it has no configuration yet."""
    device.chip.peripherals.wiring.set("camera", _sees(args))
    await asyncio.to_thread(device.install)
    await device.power_on()
    if (await device.expect(r"system: mode (\w+)$", args.timeout))[1] == "CONFIG":

        async def ask(line: str) -> str:
            await device.send(line)
            return (await device.expect(r"^= (.*)$", args.timeout))[1]

        await configure(ask, cloud.device_configuration([_WIFI]), now_s=time.time())


async def _first(snapshots: Snapshots, name: str, timeline: Timeline) -> None:
    """Tell when there is a picture, and what it took from being asked for."""
    while not (found := await asyncio.to_thread(snapshots.pictures.listed, name)):  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_S)
    seconds = time.time() - found[-1].made_ms / 1000
    timeline.say(
        "page", "", f"a picture of {found[-1].size:,} bytes, {seconds:.1f} s after it was asked for", "green"
    )


def _tell(event: Event, timeline: Timeline) -> None:
    if not is_page(event.client_id):
        timeline.say("cloud", "", str(event), "dim")
