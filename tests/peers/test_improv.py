"""ESP Web Tools in Chromium brings Wi-Fi to a simulated device by Improv, over the cable that flashed it."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.host.board.made_images import TWO_SLOTS, Made
from tests.patience import PATIENCE_S
from tests.peers import chromium
from tests.peers.serial_bridge import SerialBridge
from tests.system.house import HOST, WIFI, House
from tools.board import images
from tools.cloud import Cloud
from tools.flasher import serve
from tools.image import build, contents
from tools.sim import Device, World
from tools.sim.port import Port

INSTALLED = (serve.MODULES / "node_modules/esp-web-tools").is_dir()
pytestmark = [
    chromium.needs_chromium,
    pytest.mark.skipif(not INSTALLED, reason="needs ESP Web Tools (make setup, with npm)"),
]

WAIT_MS = 1000 * PATIENCE_S
MADE = Made(partitions=(*TWO_SLOTS, (1, 0x81, 0x310000, 0xF0000)))
URL = "https://example.com/devices#{id}"


@contextlib.asynccontextmanager
async def dialog_with(folder: Path, product: bool = True) -> AsyncIterator[tuple[Locator, Device]]:
    """The dialog of ESP Web Tools, and its device, which has its product's file or not."""
    made = build.make(images.parse(MADE.image(), "x.bin"), {"main.py": b""}, contents.name()).image
    async with (
        Cloud(folder / "cloud", hosts=("localhost", HOST)) as cloud,
        World({WIFI["ssid"]: WIFI["password"], "Café & Söhne": "12345678", "Open": ""}) as world,
        chromium.running() as browser,
    ):
        world.hosts[HOST] = ("127.0.0.1", cloud.port)
        house = House(folder, cloud, world)
        device = house.device()
        document = {**house.configuration(), "app": {"url": URL}}
        del document["wifi"]
        if product:
            device.add(contents.PRODUCT, json.dumps(document))
        page = (await chromium.Visit.start(browser)).page
        async with (
            serve.Flasher({"x.bin": made}, 0) as site,
            device,
            Port(device, "pty") as console,
            SerialBridge(page, console.name, _no_reset),
        ):
            await device.expect("system: mode CONFIG")
            yield await connected(page, site.flasher_url), device


async def _no_reset() -> None:
    """Nothing is flashed here."""


async def connected(page: Page, address: str) -> Locator:
    await page.goto(address)
    await page.get_by_role("button", name="Connect").click()
    dialog = page.locator("ewt-install-dialog")
    await expect(dialog).to_contain_text("Connected to esp32-240ac4000001", timeout=WAIT_MS)
    return dialog


async def try_network(dialog: Locator, password: str) -> None:
    """As a person picks the network and types its password."""
    network = dialog.locator("ew-filled-select")
    await expect(network).to_be_visible(timeout=WAIT_MS)
    await network.click()
    await dialog.locator("ew-select-option", has_text=WIFI["ssid"]).click()
    await dialog.locator("ew-filled-text-field[name=password] input").fill(password)
    await dialog.get_by_text("Connect", exact=True).click()


async def test_from_the_flashed_board_to_telemetry(tmp_path: Path) -> None:
    """A wrong password is told; with the right one the device comes online, and the page leads on."""
    async with dialog_with(tmp_path) as (dialog, device):
        await expect(dialog).to_contain_text("esp32-iot")
        await dialog.get_by_text("Connect to Wi-Fi").click()
        options = dialog.locator("ew-select-option")
        await expect(options).to_have_count(4, timeout=WAIT_MS)
        assert "Café & Söhne" in " ".join(await options.all_text_contents())
        await try_network(dialog, "wrong password")
        await expect(dialog.locator(".error")).to_have_text("Unable to connect", timeout=WAIT_MS)
        await device.expect('improv: network "Home": it does not accept the password')
        await try_network(dialog, WIFI["password"])
        await expect(dialog).to_contain_text("Device connected to the network!", timeout=WAIT_MS)
        on = dialog.locator("ew-list-item", has_text="Visit Device")
        await expect(on).to_have_attribute("href", URL.replace("{id}", "esp32-240ac4000001"))
        await device.expect(r"app: telemetry \d+ acknowledged")
        assert not [line for line in device.lines if WIFI["password"] in line or "wrong password" in line]


async def test_a_board_that_lacks_more_than_wifi_says_so(tmp_path: Path) -> None:
    async with dialog_with(tmp_path, product=False) as (dialog, device):
        await dialog.get_by_text("Connect to Wi-Fi").click()
        await try_network(dialog, WIFI["password"])
        await expect(dialog.locator(".error")).to_have_text("Unknown error (255)", timeout=WAIT_MS)
        await device.expect("improv: endpoint and certificates are missing")
