"""The pictures of docs/pictures, of a page that is open: python3 -m tests.peers.dashboard_pictures URL

As they are there: `python3 -m tools run --updates --devices 6`, and five minutes later this, with the address
that it tells. It moves the first device's temperature for a while, so that there is something to see.
With --evening the page is that of `tools dev` with the application of docs/first-sensor.md, for its picture.
With --cameras it is that of `tools camera`, which is asked for some pictures.
"""

import argparse
import asyncio
import io
import math
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, expect

from tests.peers import chromium
from tests.peers.dashboard_scene import NAME, NARROW, SCHEMES

PICTURES = Path(__file__).resolve().parents[2] / "docs/pictures"
_BYTES_MAX = 150_000
_COLORS = 128
_MOVES, _MOVE_S = 60, 2.0
_SHOWN = {"width": 1280, "height": 960}
_SNAPSHOTS = 6
_LOW = {"width": 1280, "height": 560}


async def _evening(url: str) -> None:
    """It becomes dark and light again before the sensor of docs/first-sensor.md; what its page then shows."""
    device = f"{url}#/device/twilight-240ac4000001"
    async with chromium.running() as browser:
        slider = (await _open(browser, device, "light", _SHOWN)).get_by_role("slider", name="adc.34")
        for step in range(_MOVES):
            await slider.fill(f"{1.5 + 0.9 * math.cos(2 * math.pi * step / _MOVES):.2f}")
            await asyncio.sleep(2 * _MOVE_S)
        await _picture(await _open(browser, device, "light", _LOW), "first-sensor")


async def _cameras(url: str) -> None:
    """What the camera saw now, and before."""
    async with chromium.running() as browser:
        visit = await chromium.Visit.start(browser, viewport=_SHOWN, reduced_motion="reduce")
        await visit.page.goto(url)
        gallery = visit.page.locator("#gallery li")
        for count in range(2, _SNAPSHOTS + 1):
            await visit.page.get_by_role("button", name="Snapshot").click()
            await expect(gallery).to_have_count(count)
        await _picture(visit.page, "camera")


async def _move_temperature(page: Page) -> None:
    """As a day that takes two minutes."""
    slider = page.get_by_role("slider", name="temperature")
    for step in range(_MOVES):
        celsius = 45 + 9 * math.sin(2 * math.pi * step / _MOVES) + 1.5 * math.sin(step)
        await slider.fill(str(round(2 * celsius) / 2))
        await asyncio.sleep(_MOVE_S)


async def _picture(page: Page, name: str) -> None:
    """Keep what is to be seen, in as many colours as it takes."""
    await asyncio.sleep(1.5)  # what has come meanwhile is drawn
    shown = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    file = PICTURES / f"{name}.png"
    shown.quantize(_COLORS, dither=Image.Dither.NONE).save(file, optimize=True)
    assert file.stat().st_size < _BYTES_MAX, f"{file}: {file.stat().st_size} bytes"
    print(file, file.stat().st_size)


async def _open(browser: Browser, url: str, scheme: str, size: dict[str, int]) -> Page:
    visit = await chromium.Visit.start(browser, viewport=size, color_scheme=scheme, reduced_motion="reduce")
    await visit.page.goto(url)
    await expect(visit.page.locator("#link-text")).to_have_text("live")
    return visit.page


async def _take(url: str, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    device = f"{url}#/device/{name}"
    async with chromium.running() as browser:
        await _move_temperature(await _open(browser, device, "light", _SHOWN))
        for scheme in SCHEMES:
            await _picture(await _open(browser, device, scheme, _SHOWN), f"dashboard-device-{scheme}")
            await _picture(
                await _open(browser, url, scheme, {**_SHOWN, "height": 560}), f"dashboard-fleet-{scheme}"
            )
        await _picture(await _open(browser, device, "dark", NARROW), "dashboard-narrow")
        lower = await _open(browser, device, "light", _SHOWN)
        await expect(lower.locator("#log-lines li").first).to_be_visible()
        await asyncio.sleep(1.5)  # all above it is there, and as high as it gets
        await lower.evaluate("document.querySelector('#jobs').scrollIntoView()")
        await _picture(lower, "dashboard-jobs")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="the page's, as http://localhost:8009/")
    parser.add_argument("--device", default=NAME, help="default: %(default)s")
    parser.add_argument("--evening", action="store_true", help="the picture of docs/first-sensor.md alone")
    parser.add_argument("--cameras", action="store_true", help="the picture of docs/camera.md alone")
    args = parser.parse_args()
    if args.evening or args.cameras:
        asyncio.run(_evening(args.url) if args.evening else _cameras(args.url))
    else:
        asyncio.run(_take(args.url, args.device))
