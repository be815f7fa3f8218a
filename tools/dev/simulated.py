"""`tools dev` on a simulated device: the way of a change into its flash."""

import asyncio
import contextlib

from .scene import Scene
from .versions import Files

_SETTINGS = "/firmware/settings.py"
# For the live page, where the settings ask for no reports; of crashes and the log it hears from the console.
_REPORTS = b'\nREPORTS = REPORTS or {"metrics_s": 300, "package": PRODUCT}\n'
_LEAVE_S = 1.5  # for taking leave of the cloud; what hangs has its power taken away


class Simulated:
    """The device of a scene."""

    def __init__(self, scene: Scene) -> None:
        self._device = scene.device

    def prepare(self, files: Files) -> None:
        """Have its flash hold these of the product's files and no others; the device has no power."""
        kept = [
            str(path)
            for name in ("lib/iot", "firmware")
            if (self._device.files / name).exists()
            for path in (self._device.files / name).rglob("*.py")
        ]
        self._device.change(_reporting(files), [path for path in kept if path not in files])

    async def bring(self, files: Files, changed: Files, removed: list[str]) -> None:
        """Have it restart with another version: a clean restart, so what it keeps is written."""
        device = self._device
        with contextlib.suppress(RuntimeError, ConnectionError, TimeoutError):  # nobody may hear it
            await device.send("restart")
            async with asyncio.timeout(_LEAVE_S):
                await device.chip.stopped.wait()
        await device.power_off()
        await asyncio.to_thread(device.change, _reporting(changed), removed)
        await device.power_on()


def _reporting(files: Files) -> Files:
    return {**files, _SETTINGS: files[_SETTINGS] + _REPORTS} if _SETTINGS in files else files
