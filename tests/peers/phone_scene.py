"""A person's phone, the page in its browser, and a device of the simulated world beside it."""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Locator, Page, expect

from tests.patience import PATIENCE_S
from tests.peers import chromium
from tests.peers.bridge import Bridge
from tests.system.house import HOST, WIFI, House
from tools import phone
from tools.cloud import Cloud
from tools.sim import Device, World

CODE = "7K3M-9PQR-W2XY"
WRONG_CODE = "7K3M-9PQR-W2XZ"
WAIT_MS = 1000 * PATIENCE_S
PASSWORD = WIFI["password"]


@dataclass
class Scene:
    """What a test of the page needs."""

    device: Device
    world: World
    site: phone.Page
    visit: chromium.Visit
    bridge: Bridge

    @property
    def page(self) -> Page:
        return self.visit.page

    @property
    def label(self) -> str:
        """The address in the QR code of the device's label."""
        return f"{self.site.url}#code={CODE.replace('-', '')}&name=esp32-240ac4000001"

    async def reach(self, step: str) -> None:
        """Wait until a step is on the screen, its title with the focus, and no other."""
        title = self.page.locator(f"#{step}-title")
        await expect(title).to_be_focused(timeout=WAIT_MS)
        await expect(self.page.locator("main > section:visible")).to_have_count(1)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=re.compile(f"^{name}"))

    async def to_networks(self) -> None:
        """From the label to the list of networks."""
        await self.page.goto(self.label)
        await self.button("Find device").click()
        await self.reach("network")

    async def to_check(self, password: str = PASSWORD) -> None:
        """From the list of networks to the last look before it is sent."""
        await self.button("Home").click()
        await self.type_password(password)

    async def type_password(self, password: str) -> None:
        await self.reach("password")
        await self.page.get_by_label("Password", exact=True).fill(password)
        await self.button("Continue").click()
        await self.reach("check")

    async def told(self, text: str) -> None:
        """Wait for an error on the screen."""
        await expect(self.page.locator("#error")).to_contain_text(text, timeout=WAIT_MS)


@contextlib.asynccontextmanager
async def scene(folder: Path, mtu: int = 247) -> AsyncIterator[Scene]:
    """A device in mode CONFIG, and a browser that has heard it."""
    async with (
        Cloud(folder / "cloud", hosts=("localhost", HOST)) as cloud,
        World({WIFI["ssid"]: PASSWORD, "Café & Söhne": "12345678", "Open": ""}) as world,
        chromium.running() as browser,
    ):
        world.hosts[HOST] = ("127.0.0.1", cloud.port)
        house = House(folder, cloud, world)
        product = house.configuration()
        del product["wifi"]
        device = house.device(SETUP_CODE=CODE)
        visit = await chromium.Visit.start(browser)
        central = await world.phone(mtu)
        async with (
            phone.Page(0, product) as site,
            device,
            Bridge(browser, visit.page, central, device.chip.ble.address) as bridge,
        ):
            await device.expect("system: mode CONFIG")
            await bridge.hear()
            yield Scene(device, world, site, visit, bridge)
