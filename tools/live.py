"""The live page of `make run`."""

import contextlib
from functools import partial
from pathlib import Path

from tools.board.errors import BoardError
from tools.cloud import Cloud
from tools.cloud.endpoint import PAGE
from tools.cloud.errors import ResourceAlreadyExistsException
from tools.dashboard.actions import ALL_METRICS
from tools.dashboard.local import page_of
from tools.dashboard.simulation import Simulation
from tools.dashboard.updating import Made
from tools.sim import World
from tools.timeline import Timeline
from tools.units import Unit
from tools.updates import Product


def declare_metrics(cloud: Cloud) -> None:
    """Have the cloud keep what its devices report of themselves."""
    for metric in ALL_METRICS:
        with contextlib.suppress(ResourceAlreadyExistsException):
            cloud.defender.create_custom_metric(
                metricName=metric, metricType="number", clientRequestToken=PAGE
            )


async def open_page(
    stack: contextlib.AsyncExitStack,
    cloud: Cloud,
    state: Path,
    world: World,
    units: list[Unit],
    product: Product | None,
    timeline: Timeline,
) -> None:
    """Serve it as long as `stack` lasts, and have it hear the devices' consoles; without it the rest goes on.

    Args:
        stack: of what ends with the run.
        cloud: with its control plane.
        state: the cloud's directory.
        world: which the page may change.
        units: its devices, without power as yet.
        product: whose updates they take; None: there are none.
        timeline: is told where the page is, or why there is none.
    """

    def say(text: str) -> None:
        timeline.say("page", "", text, "yellow")

    declare_metrics(cloud)
    simulation = Simulation(world, {unit.name: unit.device for unit in units})
    releases = Made(product, cloud) if product else None
    try:
        made = await page_of(state, simulation=simulation, releases=releases, say=say)
        page = await stack.enter_async_context(made)
    except (BoardError, OSError) as error:
        say(f"none: {error}")
        return
    for unit in units:
        unit.on_line = partial(page.line, unit.name)
    timeline.say("page", "", f"all devices, live: {page.url}", "bold")
