"""`make run CLOUD=`: a device's whole life on another cloud, which its stand-in plays."""

import argparse
import asyncio
import contextlib
import importlib
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tools import application
from tools.ble.errors import BleError
from tools.cloud.events import printable
from tools.configure import ConfigureError
from tools.keyboard import Keyboard
from tools.powering import WIFI, RunError, last_lines, make_unit, start
from tools.sim import World
from tools.timeline import Timeline
from tools.units import Unit, allow_files, bring_up
from tools.updates import Product, app_that_crashes

from .files import Files
from .operators.base import Base, OperatorError, until

_ENDS = ("SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED")
_LED = "led"


async def run(args: argparse.Namespace, timeline: Timeline) -> None:
    """Start the cloud `args.cloud`, configure a device, and show all that an operator does with it there.

    Raises:
        RunError: it did not go along.
        OSError: the stand-in cannot start.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="esp32-iot-")))
        allow_files(1)
        world = await stack.enter_async_context(World({WIFI["ssid"]: WIFI["password"]}))
        unit = make_unit(folder, world, 0, args.micropython, args.sensors, timeline)

        def on_message(place: str, payload: bytes) -> None:
            text = printable(payload.decode(errors="backslashreplace"))
            timeline.say("subscriber", "", f"{printable(place)} {text}", "green")
            unit.count(acknowledged=int(application.is_own()), received=1)

        made = _operators(args.cloud).Operator(
            folder / "cloud",
            unit.name,
            lambda event: timeline.say("cloud", "", str(event), "dim"),
            on_message,
        )
        operator: Base = await stack.enter_async_context(made)
        world.hosts.update({name: ("127.0.0.1", port) for name, port in operator.hosts.items()})
        files = await stack.enter_async_context(Files(folder / "cloud"))
        timeline.say("cloud", "", f"{operator.CALLED}, stood in for at localhost:{operator.port}")
        product = Product() if args.updates else None
        stack.push_async_callback(unit.device.power_off)
        stack.enter_context(timeline.telling_silence(lambda: last_lines([unit])))

        def document() -> dict[str, Any]:
            return {"wifi": [WIFI], **operator.section()}

        await bring_up(
            [unit],
            lambda unit: start(unit, document, world, product, args, timeline),
            args.timeout,
            args.once,
            (BleError, ConfigureError, OSError),
            lambda unit: timeline.say(unit.name, "run", f"given up: {unit.failure}; {unit}", "bold red"),
        )
        if not unit.failure:
            await _show(Shown(operator, unit.name, timeline, files), unit, product, args.timeout)
        if not args.once:
            await Keyboard({unit.name: unit.device}, None, timeline).follow()
            await asyncio.Event().wait()
        if unit.failure:
            raise RunError(f"{unit.failure}\n{unit}")
        timeline.say("", "", f"done: {unit.received} messages received", "bold green")


def _operators(cloud: str) -> Any:
    try:
        return importlib.import_module(f"tools.clouds.operators.{cloud}")
    except ModuleNotFoundError as error:
        remedy = "pip install 'esp32-aws-iot[clouds]'; make setup does it"
        raise RunError(f"{cloud}: {error.name} is missing: {remedy}") from None


async def _show(shown: "Shown", unit: Unit, product: Product | None, timeout_s: float) -> None:
    """All parts, one after the other; the device is given up where it does not go along."""
    parts: list[Callable[[], Awaitable[None]]] = []
    if not application.is_own():
        parts += [shown.state, shown.job, shown.command]
    if product:
        parts += [lambda: shown.update(product), lambda: shown.update_that_crashes(product)]
    parts.append(shown.more)
    for part in parts:
        try:
            async with asyncio.timeout(timeout_s):
                await part()
        except TimeoutError:
            unit.failure = f"{unit.name}: {shown.at}: not within {timeout_s:g} s"
        except OperatorError as error:
            unit.failure = f"{unit.name}: {shown.at}: {error}"
        if unit.failure:
            shown.timeline.say(unit.name, "run", f"given up: {unit.failure}", "bold red")
            return


class Shown:
    """What the operator of a cloud does with a device, told as it goes.

    Args:
        operator: of the cloud.
        device: its name.
        timeline: takes the lines.
        files: where updates lie.

    Attributes:
        at: what is being shown.
    """

    def __init__(self, operator: Base, device: str, timeline: Timeline, files: Files) -> None:
        self.timeline = timeline
        self.at = ""
        self._operator, self._device, self._files = operator, device, files

    async def state(self) -> None:
        """A value that is desired is reported."""
        wanted = not self._operator.reported().get(_LED, False)
        self._say("state", f"desires of {self._device}: {json.dumps({_LED: wanted})}")
        await self._operator.desire({_LED: wanted})
        await until(lambda: "so" if self._operator.reported().get(_LED) is wanted else "")
        self._say("state", f"{self._device} reports {json.dumps({_LED: wanted})}")

    async def job(self) -> None:
        """A job is done, which comes as a part of the state."""
        await self._do("job", "blink", {"action": "blink", "times": 3}, "SUCCEEDED")

    async def command(self) -> None:
        """A command is answered."""
        payload = {"on": False}
        self._say("command", f"{_LED} for {self._device}: {json.dumps(payload)}")
        answer = await self._operator.command(_LED, payload)
        self._say("command", f"{_LED} answered: {printable(answer)}")

    async def update(self, product: Product) -> None:
        """An update is installed, tried and kept."""
        await self._update(product, f"{product.version}+better", None, "SUCCEEDED")

    async def update_that_crashes(self, product: Product) -> None:
        """An update whose application fails is given up."""
        await self._update(product, f"{product.version}+worse", app_that_crashes(), "FAILED")

    async def more(self) -> None:
        """What this cloud alone has to show."""
        for text, act in self._operator.more.items():
            self._say("more", text)
            self._say("more", await act())

    async def _update(self, product: Product, version: str, app: str | None, end: str) -> None:
        self._say("update", f"builds and signs version {version}")
        pack = await asyncio.to_thread(product.build, version, app)
        about = product.about_app(version, pack)
        document = {
            "action": "OTA",
            "url": self._files.put(version, pack),
            "manifest": about.text().decode(),
            "signatures": [str(product.signed(about))],
        }
        await self._do("update", "update", document, end, f"version {version}, {len(pack):,} bytes")

    async def _do(self, area: str, kind: str, document: dict[str, Any], end: str, text: str = "") -> None:
        """Have the device do a job, and follow it to its `end`; OperatorError where that is another."""
        job = f"{kind}-{time.time_ns() // 1_000_000}"
        self._say(area, f"{job} for {self._device}: {text or json.dumps(document)}")
        await self._operator.begin(job, document)
        told = [""]
        while (status := told[-1].partition(" ")[0]) not in _ENDS:
            told.append(await until(lambda: self._news(job, told[-1])))
            self.timeline.say("operator", area, f"{job} {printable(told[-1])}")
        if status != end:
            raise OperatorError(f"{job} is {told[-1]}, and not {end}")

    def _news(self, job: str, before: str) -> str:
        """How the job stands, "" where that is nothing new."""
        status, details = self._operator.state_of(job)
        now = " ".join([status, *(f"{name}={value}" for name, value in details.items())])
        return now if now != before else ""

    def _say(self, area: str, text: str) -> None:
        self.at = area
        self.timeline.say("operator", area, text)
