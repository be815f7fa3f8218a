"""The cameras' page in Chromium, with a simulated camera behind it, by what a person does."""

import asyncio
import re
import statistics
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.patience import PATIENCE_S
from tests.peers.camera_scene import Home, Reader, home
from tests.peers.chromium import needs_chromium

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="module")]

BYTES = 300_000
TIMES = 3
EMPTY = "garden"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    async with home(tmp_path_factory.mktemp("camera"), BYTES) as made:
        yield made


async def test_a_click_and_the_picture_appears(browser: Browser, house: Home) -> None:
    """Again and again, each in the gallery; and by the keyboard alone an earlier one is looked at again."""
    reader = await Reader.come(browser, house.url)
    await expect(reader.at("name")).to_have_text(house.name)
    first = await reader.shown()  # of when it came online
    await expect(reader.at("caption")).to_contain_text("300 kB")
    took_s = [await reader.click() for _ in range(TIMES)]
    print(f"from click to picture: {statistics.median(took_s):.2f} s, the median of {TIMES}")
    await expect(reader.gallery.nth(TIMES)).to_be_visible()  # or more: who connects anew is asked anew
    await expect(reader.at("state")).to_be_empty()
    last = await reader.shown()
    await reader.at("ask").focus()
    await reader.tab_to(first)
    await reader.page.keyboard.press("Enter")
    await expect(reader.at("picture")).to_have_attribute("src", first)
    assert first != last and await reader.page.evaluate("document.activeElement.matches('#gallery a')")
    await reader.inspect("pictures")
    await reader.leave()


async def test_a_camera_without_pictures_says_what_to_do(browser: Browser, house: Home) -> None:
    await asyncio.to_thread(house.snapshots.pictures.note, EMPTY)
    reader = await Reader.come(browser, house.url, EMPTY)
    await expect(reader.at("none")).to_contain_text("No picture yet.")
    await reader.page.get_by_role("link", name=house.name).click()
    await expect(reader.at("name")).to_have_text(house.name)
    await reader.leave()


async def test_a_camera_that_was_off_is_late_and_brings_one_when_it_comes_back(
    browser: Browser, house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a new URL, as that of the request which it missed is at its end by the service's clock."""
    reader = await Reader.come(browser, house.url, house.name)
    await reader.shown()
    await house.device.power_off()
    await reader.page.get_by_role("button", name="Snapshot").click()
    await expect(reader.at("state")).to_contain_text("The camera sends its picture as soon as it can.")
    missed = await asyncio.to_thread(house.snapshots.look, house.name)
    clock = house.snapshots._clock
    monkeypatch.setattr(house.snapshots, "_clock", lambda: clock() + 2 * house.snapshots.settings.url_s)
    await reader.again()
    await expect(reader.at("state")).to_contain_text("has not answered. It may be off")
    await reader.inspect("late")
    await house.device.power_on()
    asked_ms = missed["snapshot"]["made_ms"] + 2000 * house.snapshots.settings.url_s
    newest = house.snapshots.pictures.listed
    async with asyncio.timeout(PATIENCE_S):
        while (found := (await asyncio.to_thread(newest, house.name))[0]).made_ms < asked_ms:
            await asyncio.sleep(0.1)
    await expect(reader.at("picture")).to_have_attribute("src", re.compile(found.id))
    await expect(reader.at("state")).to_be_empty()
    await reader.leave()


async def test_what_fails_is_told_in_words_and_what_devices_say_is_text(
    browser: Browser, house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "<img src=x onerror=alert(1)>"
    reader = await Reader.come(browser, house.url, house.name)
    await reader.shown()
    look = house.snapshots.look
    monkeypatch.setattr(
        house.snapshots,
        "look",
        lambda thing: {**look(thing), "snapshot": {"state": "failed", "made_ms": 0, "reason": script}},
    )
    await reader.again()
    await expect(reader.at("state")).to_contain_text(script)
    assert await reader.page.locator("img[src=x]").count() == 0

    def fail(thing: str) -> None:
        raise OSError("away")

    monkeypatch.setattr(house.snapshots, "look", fail)
    await reader.again()
    await expect(reader.at("lost")).to_contain_text("The service cannot reach its cloud now")
    await reader.page.route("**/api/**", lambda route: route.abort())
    await reader.again()
    await expect(reader.at("lost")).to_contain_text("This page's service does not answer.")
    await expect(reader.at("picture")).to_be_visible()  # what was seen stays
    await reader.page.unroute("**/api/**")
    monkeypatch.undo()
    await reader.again()
    await expect(reader.at("lost")).to_be_empty()
    await reader.leave(answers=True)


async def test_without_its_pictures_the_page_tells_what_they_would_show(
    browser: Browser, house: Home
) -> None:
    reader = await Reader.come(browser, "about:blank")
    await reader.page.route("**/pictures/**", lambda route: route.abort())
    reader.url = house.url
    await reader.page.goto(f"{house.url}#/{house.name}")
    await expect(reader.page.get_by_role("img", name=re.compile(f"What {house.name} saw"))).to_be_visible()
    await expect(reader.at("caption")).to_contain_text("300 kB")
    await reader.leave(answers=True)
