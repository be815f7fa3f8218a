"""The live page beside `tools dev`, where this checkout has one (tools/live.py)."""

import contextlib
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

from tools.timeline import Timeline

from .scene import Scene

_LIVE = "tools.live"


async def open_page(
    stack: contextlib.AsyncExitStack, scene: Scene, state: Path, timeline: Timeline
) -> Callable[[str], None]:
    """Serve it as long as `stack` lasts; what is returned has to be called with each line of the console."""
    if not importlib.util.find_spec(_LIVE):
        return lambda line: None
    live = importlib.import_module(_LIVE)
    unit = live.Unit(scene.device, scene.name, 0)
    await live.open_page(stack, scene.cloud, state, scene.world, [unit], None, timeline)
    heard: Callable[[str], None] = unit.on_line  # which the page has set
    return heard
