"""`make run`: the whole product on this machine, from an empty device to telemetry over mutual TLS."""

import argparse
import asyncio
import contextlib
import os
import shlex
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console

from tools import application
from tools.ble.errors import BleError
from tools.board.errors import BoardError, wrong_arguments
from tools.cloud import Cloud, StateError
from tools.cloud.ca import CHAINS
from tools.cloud.endpoint import is_page, kept_port
from tools.cloud.events import Event, printable
from tools.cloud.fleet import MAY_ALL
from tools.configure import ConfigureError
from tools.demonstration import demonstrate
from tools.keyboard import Keyboard
from tools.powering import MESSAGES, WIFI, RunError, last_lines, make_unit, start
from tools.sim import World
from tools.sim.wiring import WiringError
from tools.subscriber import Subscriber
from tools.timeline import Timeline
from tools.units import Unit, allow_files, bring_up
from tools.updates import Product, reports

EXAMPLES = """examples:
  python3 -m tools run                   watch one device, until Ctrl-C
  python3 -m tools run --once            end after five acknowledged messages: 0, or 1 and the reason
  python3 -m tools run --mtu 23          the phone and the device speak in frames of 20 bytes
  python3 -m tools run --usb             configure over the console instead of Bluetooth LE
  python3 -m tools run --server-chain rsa
                                         certificates and keys are of RSA, as AWS has them
  python3 -m tools run --updates         then a signed update arrives, is tried and kept; another goes back
  python3 -m tools run --devices 20      twenty devices, each with its own name, certificate and policy
  python3 -m tools run --state DIR       keep cloud and flash in DIR, and go on with them the next time
  python3 -m tools run --cloud azure     one device on another cloud, which a stand-in plays

A line that is typed goes to the device's console (help, status, …); with several devices it begins with a
number, as in: 2 status. `send TOPIC PAYLOAD` sends a message through the cloud. Ctrl-C ends.

exit status: 0, also after Ctrl-C; 1 if it cannot start, or --once gets no messages; 2 for wrong arguments;
130 if Ctrl-C ends --once"""

_CLOUDS = ("azure", "clearblade", "alibaba", "mqtt", "greengrass")
_MTU_LEAST, _MTU_MOST = 23, 517
_ERRORS = (RunError, BoardError, StateError, BleError, ConfigureError, WiringError, OSError)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help=f"end after {MESSAGES} messages of each device")
    parser.add_argument("--cloud", choices=_CLOUDS, help="another cloud than AWS IoT Core, by its stand-in")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="how many devices (default 1)")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="keep cloud and flash here (default: nowhere)"
    )
    parser.add_argument(
        "--server-chain",
        choices=CHAINS,
        default="p256",
        help="rsa: the cloud shows a chain of three, as AWS, and makes RSA keys (default p256)",
    )
    parser.add_argument("--usb", action="store_true", help="configure over the console, not Bluetooth LE")
    parser.add_argument(
        "--mtu", type=int, default=247, metavar="N", help="ATT MTU that the phone asks for (default 247)"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=60,
        metavar="S",
        help="for each device from its start: until its first message, with --once all of them (default 60)",
    )
    parser.add_argument(
        "--sensors", type=Path, metavar="FILE", help="what is wired to each device's pins, as for `tools sim`"
    )
    parser.add_argument(
        "--packed", action="store_true", help="the devices' modules in one file, as after `deploy`"
    )
    parser.add_argument(
        "--updates", action="store_true", help="then update the first device twice; all of them are --packed"
    )
    parser.add_argument(
        "--micropython",
        default=os.environ.get("MICROPYTHON") or None,
        metavar="PATH",
        help="run the devices on this MicroPython unix binary (default: $MICROPYTHON, else CPython)",
    )


def main(args: argparse.Namespace) -> int:
    if not 1 <= args.devices <= 200:
        return wrong_arguments("run", "--devices: 1 to 200")
    if not _MTU_LEAST <= args.mtu <= _MTU_MOST:
        return wrong_arguments("run", f"--mtu: {_MTU_LEAST} to {_MTU_MOST}")
    if args.cloud and (args.devices > 1 or args.state or args.server_chain != "p256"):
        return wrong_arguments(
            "run", "--cloud has one device and keeps nothing: no --devices, --state, --server-chain"
        )
    console = Console()
    try:
        asyncio.run(_play(args)(args, Timeline(console)))
    except KeyboardInterrupt:
        if args.once:
            raise
    except _ERRORS as error:
        console.print(f"run: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def _play(args: argparse.Namespace) -> Callable[[argparse.Namespace, Timeline], Coroutine[Any, Any, None]]:
    if not args.cloud:
        return run
    from tools.clouds import life  # noqa: PLC0415 - of no use for AWS

    return life.run


async def run(args: argparse.Namespace, timeline: Timeline) -> None:
    """Start everything, configure the devices, and watch; RunError where --once does not get its messages."""
    async with contextlib.AsyncExitStack() as stack:
        folder = args.state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="esp32-aws-iot-")))
        made = Cloud(
            folder / "cloud",
            port=kept_port(folder / "cloud"),
            server_chain=args.server_chain,
            files_port=0,
            rest_port=None if args.once else 0,  # it costs half a second, and for --once nobody comes
        )
        cloud = await stack.enter_async_context(made)
        chain = "; it shows a chain of RSA" if args.server_chain == "rsa" else ""
        allow_files(args.devices)
        timeline.say("cloud", "", f"AWS IoT Core on this machine, at localhost:{cloud.port}{chain}")
        state = shlex.quote(str(folder / "cloud"))
        timeline.say("cloud", "", f"for others: python3 -m tools cloud client NAME --state {state}")
        if cloud.rest_url:
            timeline.say("cloud", "", f"what there is to see: python3 -m tools thing --state {state}")
        product = Product(None if args.once else reports()) if args.updates else None
        world = await stack.enter_async_context(World({WIFI["ssid"]: WIFI["password"]}))
        units = [
            make_unit(folder, world, number, args.micropython, args.sensors, timeline)
            for number in range(args.devices)
        ]
        subscriber = await watch_cloud(stack, cloud, folder, units, timeline)
        if not args.once:
            from tools.live import open_page  # noqa: PLC0415 - --once needs none of it

            await open_page(stack, cloud, folder / "cloud", world, units, product, timeline)

        def document() -> dict[str, Any]:
            return cloud.device_configuration([WIFI])

        for unit in units:
            stack.push_async_callback(unit.device.power_off)
        stack.enter_context(timeline.telling_silence(lambda: last_lines(units)))
        await bring_up(
            units,
            lambda unit: start(unit, document, world, product, args, timeline),
            args.timeout,
            args.once,
            (BleError, ConfigureError, OSError),
            lambda unit: timeline.say(unit.name, "run", f"given up: {unit.failure}; {unit}", "bold red"),
        )
        if not units[0].failure:
            await show(cloud, units[0], product, args, timeline)
        if not args.once:
            devices = {unit.name: unit.device for unit in units}
            await Keyboard(devices, subscriber.publish, timeline).follow()
            await asyncio.Event().wait()
        cloud.on_event = None  # what follows is only the end
        if failed := [unit for unit in units if unit.failure]:
            reasons = sorted({unit.failure for unit in failed})
            raise RunError("\n".join(["; ".join(reasons), *map(str, failed)]))
        total = sum(unit.received for unit in units)
        timeline.say("", "", f"done: {total} messages acknowledged and received", "bold green")


async def show(
    cloud: Cloud, unit: Unit, product: Product | None, args: argparse.Namespace, timeline: Timeline
) -> None:
    """What an operator can do with the first device; it is given up where it does not go along."""
    try:
        await demonstrate(cloud, unit.name, timeline, args.timeout, product)
    except TimeoutError as error:
        unit.failure = str(error)
        timeline.say(unit.name, "run", f"given up: {error}", "bold red")


async def watch_cloud(
    stack: contextlib.AsyncExitStack, cloud: Cloud, folder: Path, units: list[Unit], timeline: Timeline
) -> Subscriber:
    """Have the cloud tell who comes and goes, and the independent subscriber it returns what arrives."""
    own = application.is_own()  # whose messages have a device's name somewhere in their topics
    by_name = {unit.name: unit for unit in units}
    by_topic = {} if own else {f"telemetry/{unit.name}": unit for unit in units}

    def on_message(topic: str, payload: bytes) -> None:
        text = printable(payload.decode(errors="backslashreplace"))
        timeline.say("subscriber", "", f"{printable(topic)} {text}", "green")
        if topic in by_topic:
            by_topic[topic].count(received=1)
        elif own:
            for name in by_name.keys() & set(topic.split("/")):
                by_name[name].count(acknowledged=1, received=1)

    identity = cloud.root_ca, *cloud.create_identity(MAY_ALL)
    subscriber = Subscriber(folder, "localhost", cloud.port, *identity, "#", on_message)
    await stack.enter_async_context(subscriber)

    def on_event(event: Event) -> None:
        # That a device which has just restarted reports too often is nothing to see.
        if not is_page(event.client_id) and event.reason != "Throttled":
            timeline.say("cloud", "", str(event), "dim")

    cloud.on_event = on_event
    return subscriber
