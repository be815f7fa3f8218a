"""A person's browser before the live page, with a simulated device in a house behind it."""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, expect

from tests.peers.chromium import Visit
from tests.peers.inspection import SCREENSHOTS
from tests.system.house import HOST, WIFI, House
from tools.cloud import Cloud
from tools.dashboard.local import page_of
from tools.dashboard.simulation import Simulation
from tools.dashboard.updating import Made
from tools.sim import Device, World
from tools.updates import Product, reports

NAME = "esp32-240ac4000001"
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 740}
SCHEMES = ("light", "dark")
# A failed request is one of the console's errors, and where it is asked for, no fault of the page.
_ANSWERS = re.compile(r"Failed to load resource")
_ALL = {"resultTypes": ["violations"]}
_CONTRAST = {**_ALL, "runOnly": ["color-contrast"]}  # no other rule has to do with the scheme
_TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Of the plots, those on which nothing is drawn.
_BLANK = """
[...document.querySelectorAll(".canvas")].filter((box) => {
  const canvas = box.querySelector("canvas");
  if (!canvas?.width || !canvas.checkVisibility()) return true;
  return !canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte);
}).length
"""
_PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass
class Home:
    """A device that is connected, and the page's address."""

    device: Device
    world: World
    cloud: Cloud
    url: str


@contextlib.asynccontextmanager
async def home(folder: Path) -> AsyncIterator[Home]:
    """The device has sent its first telemetry, and takes updates."""
    name = folder / "cloud"
    product = Product(reports())
    async with (
        Cloud(name, hosts=("localhost", HOST), rest_port=0, files_port=0) as cloud,
        World({WIFI["ssid"]: WIFI["password"]}) as world,
    ):
        world.hosts[HOST] = ("127.0.0.1", cloud.port)
        house = House(folder, cloud, world)
        speed = float(os.environ.get("SIM_SPEED") or 5)
        device = Device(folder / "device1", world, on_line=lambda line: page.line(NAME, line), speed=speed)
        simulation = Simulation(world, {NAME: device})
        page = await page_of(name, 0, simulation=simulation, releases=Made(product, cloud))
        await asyncio.to_thread(device.deploy, product.texts())
        async with page:
            try:
                await house.telemetry(device)
                yield Home(device, world, cloud, page.url)
            finally:
                await device.power_off()


class Reader:
    """A person with the page open, on one device."""

    def __init__(self, visit: Visit, url: str) -> None:
        self.visit, self.url = visit, url
        self.page: Page = visit.page

    @classmethod
    async def come(cls, browser: Browser, url: str, name: str = "", **options: object) -> "Reader":
        """Open the page, of one device where it has a name. With less motion it draws less often."""
        visit = await Visit.start(browser, **{"viewport": WIDE, "reduced_motion": "reduce", **options})
        reader = cls(visit, url)
        await visit.page.goto(f"{url}#/device/{name}" if name else url)
        await expect(reader.at("link-text")).to_have_text("live")
        return reader

    async def begin(self, name: str) -> None:
        """The same browser, and nothing of what was done in it before."""
        await self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        await self.page.emulate_media(color_scheme="light")
        await self.page.goto(f"{self.url}#/device/{name}")
        await self.page.reload()
        await self.online()

    def check(self) -> None:
        """Nothing has gone wrong, and nothing was asked of others."""
        elsewhere = [url for url in self.visit.requests if not url.startswith((self.url, "data:"))]
        assert elsewhere == []
        assert [text for text in self.visit.complaints if not _ANSWERS.search(text)] == []

    async def leave(self) -> None:
        """Close it."""
        await self.visit.context.close()
        self.check()

    def at(self, element: str) -> Locator:
        """By its id."""
        return self.page.locator(f"#{element}")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def is_told(self, element: str, text: str) -> None:
        await expect(self.at(element)).to_contain_text(text)

    async def online(self) -> None:
        """The device is connected, as the page says."""
        await self.is_told("presence-text", "Connected")

    async def inspect(self, step: str) -> None:
        """As of any page; and no plot is empty."""
        await scan(self.page, f"dashboard-{step}", self._check_plots)

    async def _check_plots(self) -> None:
        assert await self.page.evaluate(_BLANK) == 0, "empty plots"


async def scan(page: Page, step: str, check: Callable[[], Awaitable[None]] | None = None) -> None:
    """Keep screenshots, wide and narrow, light and dark; axe-core finds nothing in any of them.

    Args:
        page: as it is now.
        step: what it shows, for the screenshots' names.
        check: called for each of them, once it is drawn.
    """
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for size in (WIDE, NARROW):
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await page.evaluate(_PAINTED)
            if check:
                await check()
            where = f"{step}-{size['width']}-{scheme}"
            await page.screenshot(path=SCREENSHOTS / f"{where}.png", full_page=True)
            assert await page.evaluate(_TOO_WIDE) <= 0, f"{where}: wider than the window"
            found = await Axe().run(page, options=_ALL if scheme == SCHEMES[0] else _CONTRAST)
            assert found.violations_count == 0, f"{where}: {found.generate_report()}"
