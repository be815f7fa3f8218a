"""A simulated camera, its service and its page; and a person's browser before it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.patience import PATIENCE_S
from tests.peers.chromium import Visit
from tests.peers.dashboard_scene import WIDE, scan
from tests.system.house import WIFI
from tools import application
from tools.board import settings
from tools.cloud import Cloud
from tools.configure import configure
from tools.examples.camera.cli import APPLICATION
from tools.examples.camera.local import LocalService, PageServer
from tools.examples.camera.service.snapshots import Snapshots
from tools.sim import Device, World

_MAC = "24:0a:c4:00:00:01"
_TABS = 60
_IN_FOCUS = "document.activeElement.querySelector('img')?.getAttribute('src')"


@dataclass
class Home:
    """A camera that is online.

    Args:
        device: the camera; `name` is its thing's.
        snapshots: of its service.
        url: the page's.
    """

    device: Device
    name: str
    snapshots: Snapshots
    url: str


@contextlib.asynccontextmanager
async def home(folder: Path, size: int) -> AsyncIterator[Home]:
    """It draws pictures of `size` bytes."""
    local = LocalService()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(application.SETTING, str(APPLICATION))
        patch.setenv("SIM_SPEED", "5")
        async with (
            Cloud(folder / "cloud", rules=dict(local.rules()), files_port=0, rest_port=0) as cloud,
            World({WIFI["ssid"]: WIFI["password"]}) as world,
        ):
            service = await asyncio.to_thread(local.open, cloud)
            device = Device(folder / "device", world, _MAC)
            device.chip.peripherals.wiring.set("camera", size)
            with PageServer(service) as page:
                try:
                    await _start(device, cloud)
                    yield Home(device, settings.device_name(_MAC), service.snapshots, page.url)
                finally:
                    await device.power_off()


async def _start(device: Device, cloud: Cloud) -> None:
    device.install()
    await device.power_on()
    await device.expect(r"system: mode CONFIG", PATIENCE_S)

    async def ask(line: str) -> str:
        await device.send(line)
        return (await device.expect(r"^= (.*)$", PATIENCE_S))[1]

    await configure(ask, cloud.device_configuration([WIFI]), now_s=time.time())
    await device.expect(r"cloud: connected", PATIENCE_S)


class Reader:
    """A person with the page open."""

    def __init__(self, visit: Visit, url: str) -> None:
        self.visit, self.url = visit, url
        self.page: Page = visit.page

    @classmethod
    async def come(cls, browser: Browser, url: str, name: str = "") -> "Reader":
        """Open it, on one camera where that has a name."""
        visit = await Visit.start(browser, viewport=WIDE, reduced_motion="reduce")
        await visit.page.goto(f"{url}#/{name}" if name else url)
        return cls(visit, url)

    def at(self, element: str) -> Locator:
        """By its id."""
        return self.page.locator(f"#{element}")

    @property
    def gallery(self) -> Locator:
        return self.at("gallery").get_by_role("listitem")

    async def shown(self) -> str:
        """The address of the picture that is shown, once it is there."""
        await expect(self.at("picture")).to_be_visible()
        await self.page.wait_for_function("document.querySelector('#picture').naturalWidth > 0")
        return await self.at("picture").get_attribute("src") or ""

    async def tab_to(self, picture: str) -> None:
        """By the keyboard to that one in the gallery."""
        for _ in range(_TABS):
            await self.page.keyboard.press("Tab")
            if await self.page.evaluate(_IN_FOCUS) == picture:
                return
        raise AssertionError(f"no way by the keyboard to {picture}")

    async def again(self) -> None:
        """The page looks at once, as when it is seen again, and not some seconds later."""
        await self.page.evaluate("dispatchEvent(new Event('visibilitychange'))")

    async def click(self) -> float:
        """Ask for a picture; the seconds until another is shown."""
        before, begin_s = await self.at("picture").get_attribute("src"), time.monotonic()
        await self.page.get_by_role("button", name="Snapshot").click()
        await self.page.wait_for_function(
            "(before) => { const it = document.querySelector('#picture');"
            " return it.getAttribute('src') !== before && it.complete && it.naturalWidth > 0; }",
            arg=before,
        )
        return time.monotonic() - begin_s

    async def inspect(self, step: str) -> None:
        """As of any page."""
        await scan(self.page, f"camera-{step}")
        await self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]

    async def leave(self, answers: bool = False) -> None:
        """Close it: nothing has gone wrong, and nothing was asked of others."""
        await self.visit.context.close()
        elsewhere = [url for url in self.visit.requests if not url.startswith((self.url, "data:"))]
        assert elsewhere == []
        told = [one for one in self.visit.complaints if not (answers and "Failed to load resource" in one)]
        assert told == []
