"""The page that flashes boards, in Chromium, whose serial port is a simulated chip's."""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.host.board.fake_chip import FakeChip
from tests.host.board.made_images import TWO_SLOTS, Made
from tests.peers import chromium
from tests.peers.inspection import inspect
from tests.peers.serial_bridge import SerialBridge
from tools.board import images
from tools.flasher import serve
from tools.image import build
from tools.sim import Device, World
from tools.sim.packed import deployed
from tools.sim.port import Port

INSTALLED = (serve.MODULES / "node_modules/esp-web-tools").is_dir()
pytestmark = [
    chromium.needs_chromium,
    pytest.mark.skipif(not INSTALLED, reason="needs ESP Web Tools (make setup, with npm)"),
]

MADE = Made(partitions=(*TWO_SLOTS, (1, 0x81, 0x310000, 0xF0000)))
# What ESP Web Tools says of a board that does not speak Improv, or not yet, and as it asks again meanwhile.
NO_IMPROV = re.compile(
    "Improv initialization failed|Error fetching current state: TIMEOUT|WritableStream is locked"
)


@dataclass
class Bench:
    """A board on a cable: a chip in download mode until it was flashed, then a device that runs that."""

    chip: FakeChip
    device: Device
    console: Port
    made: images.Image
    bridge: SerialBridge = field(init=False)

    async def reset(self) -> None:
        if self.chip.flash != self.chip.before and not self.device.powered:
            place = next(one for one in self.made.partitions if one.name == "vfs")
            self.device.folder.joinpath("vfs.bin").write_bytes(self.chip.flash[place.offset : place.end])
            await self.device.power_on()
            self.bridge.port = self.console.name


@contextlib.asynccontextmanager
async def bench(folder: Path, page: Page, made: images.Image) -> AsyncIterator[Bench]:
    async with World({"Home": "correct horse"}) as world:
        device = Device(folder / "device", world)
        with FakeChip() as there:
            try:
                async with Port(device, "pty") as console:
                    found = Bench(there, device, console, made)
                    async with SerialBridge(page, there.port, found.reset) as found.bridge:
                        yield found
            finally:
                await device.power_off()


@pytest.fixture(scope="module")
def made() -> images.Image:
    files = {path.removeprefix("/"): data for path, data in deployed().items()}
    return build.make(images.parse(MADE.image(), "x.bin"), files, "lamp 1.0").image


@pytest.fixture
async def visit() -> AsyncIterator[chromium.Visit]:
    async with chromium.running() as browser:
        visit = await chromium.Visit.start(browser)
        yield visit


async def test_from_an_empty_board_to_the_phones_page(
    tmp_path: Path, visit: chromium.Visit, made: images.Image
) -> None:
    page = visit.page
    async with serve.Flasher({"x.bin": made}, 0) as site, bench(tmp_path, page, made) as board:
        await page.goto(site.flasher_url)
        await expect(page.get_by_text("lamp 1.0 on MicroPython v1.25.0, for 4 MB of flash")).to_be_visible()
        await inspect(page, "flasher")
        await page.get_by_role("button", name="Connect").click()
        dialog = page.locator("ewt-install-dialog")
        await dialog.get_by_text("Install lamp").click()
        await expect(dialog).to_contain_text("All data on the device will be erased")
        await dialog.get_by_text("Install", exact=True).click()
        await expect(dialog).to_contain_text("Installation complete!")
        flashed = board.chip.flash[made.offset :]
        assert flashed.startswith(made.data)
        assert set(flashed[len(made.data) :]) == set(board.chip.flash[: made.offset]) == {0xFF}
        await board.device.expect("system: mode CONFIG")
        code = (await board.device.expect(r"ble: code (\S+)"))[1]
        await dialog.get_by_text("Next").click()
        await expect(dialog).to_contain_text("Connect your device to the network")
        await dialog.get_by_text("Skip", exact=True).click()
        await dialog.locator("ew-icon-button").click()
        await expect(dialog).to_have_count(0)
        await page.get_by_role("button", name="Read the code").click()
        asked = page.locator("#asked")
        await expect(asked).to_have_text(f"{code} is the code of esp32-240ac4000001. Write it on its label.")
        await inspect(page, "flasher-code")
        await page.get_by_role("link", name="Set up over Bluetooth").click()
        await expect(page.locator("#pick-name")).to_have_text("Choose esp32-240ac4000001.")
        assert page.url == site.url
        elsewhere = [address for address in visit.requests if not address.startswith(site.url)]
        assert elsewhere == []
    assert not [line for line in visit.console if "Writing to stream" in line], "passwords would be there"
    assert [line for line in visit.complaints if not NO_IMPROV.search(line)] == []


async def test_a_board_with_another_chip_is_left_alone(tmp_path: Path, visit: chromium.Visit) -> None:
    image = images.parse(Made("esp32s3", partitions=TWO_SLOTS[:3]).image(), "s3.bin")
    made, page = build.make(image, {"boot.py": b""}, "lamp 1.0").image, visit.page
    async with serve.Flasher({"s3.bin": made}, 0) as site, bench(tmp_path, page, made) as board:
        await page.goto(site.flasher_url)
        await page.get_by_role("button", name="Connect").click()
        dialog = page.locator("ewt-install-dialog")
        await dialog.get_by_text("Install lamp").click()
        await dialog.get_by_text("Install", exact=True).click()
        await expect(dialog).to_contain_text("Your ESP32 board is not supported")
        assert board.chip.flash == board.chip.before
