"""The live page in Chromium, by what a person does: a device behind it, and then a crowd of them."""

import asyncio
import csv
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.peers import chromium
from tests.peers.chromium import needs_chromium
from tests.peers.crowd import Crowd, crowd, measure, some, watched
from tests.peers.dashboard_scene import NAME, NARROW, Home, Reader, home

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="module")]

# Texts for which the page's reader and the browser's differ, or whose mistake has no place.
_ODD = """
async (texts) => {
  const { parse } = await import("/json.js");
  const tried = (read, text) => {
    try { return JSON.stringify(read(text)); } catch (error) { return error; }
  };
  return texts.filter((text) => {
    const [ours, theirs] = [tried(parse, text), tried(JSON.parse, text)];
    return theirs instanceof Error ? !/line \\d+, column \\d+: /.test(ours.message) : ours !== theirs;
  });
}
"""
_KEEP = "document.querySelectorAll('#rows tr').forEach((row) => (row.kept_ = true))"
_IN_PLACE = "[...document.querySelectorAll('#rows tr')].filter((row) => row.kept_).length"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    async with home(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def few(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crowd]:
    """Two, of which each test has one to itself, on a page that only reads."""
    async with crowd(tmp_path_factory.mktemp("few"), some(2), writable=False) as site:
        yield site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def window(browser: Browser, house: Home) -> AsyncIterator[Reader]:
    made = await Reader.come(browser, house.url)
    yield made
    await made.leave()


@pytest_asyncio.fixture(loop_scope="module")
async def reader(window: Reader) -> AsyncIterator[Reader]:
    """On the device's page, which is loaded anew."""
    await window.begin(NAME)
    yield window
    window.check()


async def test_a_device_goes_and_comes_before_ones_eyes(reader: Reader) -> None:
    """Its power is cut, and comes back; and so is Wi-Fi, before the table of all devices."""
    await reader.button("Cut the power").click()
    await reader.is_told("presence-text", "Offline")
    await reader.is_told("power", "It has no power.")
    await reader.is_told("modes-text", "now OFF")
    await reader.button("Power on").click()
    await reader.online()
    await reader.page.get_by_role("link", name="All devices").click()
    await reader.page.get_by_role("switch", name="Wi-Fi on the air").uncheck()
    row = reader.page.get_by_role("row", name=NAME)
    await expect(row).to_contain_text("Offline")
    await reader.page.get_by_role("button", name="Connected 0").click()
    await reader.is_told("nobody", "No device is as asked for.")
    await reader.page.get_by_role("switch", name="Wi-Fi on the air").check()
    await expect(row).to_contain_text("Connected")


async def test_the_shadow_is_changed_and_wrong_json_is_told_where_it_is_wrong(reader: Reader) -> None:
    desired = reader.page.get_by_label("Desired")
    await desired.fill('{"led": true,\n "fan" 3}')
    await reader.button("Desire this").click()
    await reader.is_told("shadow-problem", "line 2, column 8: a colon is missing behind the name")
    await expect(desired).to_be_focused()
    await expect(desired).to_have_attribute("aria-invalid", "true")
    await desired.fill('{"led": true, "fan": {"speed": 3}}')
    await reader.button("Desire this").click()
    await reader.is_told("reported", '"led": true')
    await expect(reader.page.get_by_role("row", name=re.compile("fan.speed 3"))).to_be_visible()
    await desired.fill('{"led": false}')
    await reader.button("Desire this").click()
    await reader.is_told("reported", '"led": false')
    await reader.is_told("no-delta", "Nothing: the device reports all that is desired.")


async def test_what_is_typed_outlives_a_change_by_another(reader: Reader, house: Home) -> None:
    desired = reader.page.get_by_label("Desired")
    await desired.fill('{"mine": 1}')
    payload = b'{"state": {"desired": {"theirs": 2}}}'
    house.cloud.shadows.update_thing_shadow(thingName=NAME, payload=payload)
    await reader.is_told("shadow-changed", "It has changed meanwhile.")
    await expect(desired).to_have_value('{"mine": 1}')
    await reader.button("take what is there now").click()
    await expect(desired).to_have_value(re.compile('"theirs": 2'))


async def test_a_job_is_done_and_another_is_cancelled(reader: Reader) -> None:
    first = reader.page.get_by_role("list", name="Jobs").get_by_role("listitem").first
    await reader.button("Create job").click()
    await expect(first).to_contain_text("percent: 100")
    await expect(first).to_contain_text("done")
    await reader.page.get_by_label("Document").fill('{"action": "blink", "times": 600}')
    await reader.button("Create job").click()
    await expect(first).to_contain_text("under way")
    await first.get_by_role("button").click()
    await reader.button("Cancel the job").click()
    await expect(first).to_contain_text("cancelled")
    await reader.button("LED on").click()
    await expect(reader.page.get_by_role("list", name="Pins that the program drives")).to_have_text(
        "Pin 2 high"
    )
    command = reader.page.get_by_role("list", name="Commands").get_by_role("listitem").first
    await expect(command).to_contain_text("done")


async def test_the_csv_has_what_the_plots_and_their_table_have(reader: Reader) -> None:
    """A sensor is moved first, so that there is something to see."""
    slider = reader.page.get_by_role("slider", name="temperature")
    await slider.fill("30")
    plot = reader.page.get_by_role("img", name=re.compile("^temperature: .* at last 30$"))
    await expect(plot).to_be_visible()
    await reader.button("Pause the plots").click()
    await reader.page.get_by_text("Values as a table").click()
    table = reader.page.get_by_role("region", name="Values as a table")
    await expect(table.get_by_role("columnheader", name="temperature")).to_be_visible()
    async with reader.page.expect_download() as coming:
        await reader.page.get_by_role("link", name="Download CSV").click()
    rows = list(csv.DictReader((await (await coming.value).path()).read_text().splitlines()))
    assert rows[-1]["temperature"] == "30" and rows[0]["temperature"] == "53"
    assert len(await table.get_by_role("row").all()) == min(50, len(rows)) + 1


async def test_a_drag_over_a_plot_zooms_all_and_a_button_leads_back(reader: Reader) -> None:
    plot = reader.page.get_by_role("img", name="count:")
    await plot.scroll_into_view_if_needed()
    await reader.is_told("span-text", "to now")
    box = await plot.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 3
    await reader.page.mouse.move(box["x"] + box["width"] / 2, middle)
    await reader.page.mouse.down()
    await reader.page.mouse.move(box["x"] + box["width"] - 40, middle, steps=4)
    await reader.page.mouse.up()
    await expect(reader.at("span-text")).not_to_contain_text("now")
    await reader.button("Back to now").click()
    await reader.is_told("span-text", "to now")


async def test_an_update_is_followed_to_its_confirmation_and_another_on_its_way_back(reader: Reader) -> None:
    steps = reader.at("update-steps").get_by_role("listitem")
    version = reader.at("update-version")
    for release, end in (("better", "Confirmed"), ("worse", "Back")):
        await reader.page.get_by_label("Release").select_option(release)
        await reader.button("Update this device").click()
        await expect(version).to_contain_text(f"+{release}.")
        await expect(steps.last).to_contain_text(end)
        await expect(steps.last).to_have_class({"Confirmed": "over", "Back": "back"}[end])
        await expect(reader.at("update-bytes")).to_have_text(re.compile(r"^(\d+,\d+) of \1 bytes$"))
        await expect(reader.at("facts")).to_contain_text("+better.")
        if end == "Back":
            await reader.is_told("update-reason", "RuntimeError: a fault of this version")


async def test_with_the_keyboard_alone(reader: Reader) -> None:
    """From the table to a device, to its plots, zoomed and back, to a shadow that is changed."""
    await reader.page.goto(reader.url)
    page, keyboard = reader.page, reader.page.keyboard

    async def tab_to(what: str) -> None:
        for _ in range(60):
            await keyboard.press("Tab")
            if await page.evaluate("(what) => document.activeElement.matches(what)", what):
                return
        raise AssertionError(f"no way by the keyboard to {what}")

    await expect(page.get_by_role("row", name=NAME)).to_be_visible()
    await tab_to("#find")
    await keyboard.type("240ac")
    await reader.is_told("found", "1 of 1 devices")
    await tab_to("#rows a")
    await keyboard.press("Enter")
    await expect(reader.at("device-title")).to_be_focused()
    await reader.online()
    await tab_to("#plots")
    await keyboard.press("+")
    await keyboard.press("ArrowLeft")
    await expect(reader.button("Back to now")).to_be_visible()
    await keyboard.press("0")
    await expect(reader.button("Back to now")).to_be_hidden()
    await tab_to("#desired")
    await keyboard.press("Control+A")
    await keyboard.type('{"led": true}')
    await tab_to("#shadow-save")
    await keyboard.press("Space")
    await reader.is_told("reported", '"led": true')


async def test_axe_finds_nothing_in_dark_and_light_wide_and_narrow(reader: Reader) -> None:
    await expect(reader.page.get_by_role("img", name="rssi:")).to_be_visible()
    await reader.inspect("device")
    await reader.page.get_by_role("link", name="All devices").click()
    await expect(reader.page.get_by_role("rowheader", name=NAME)).to_be_visible()
    await reader.inspect("fleet")


async def test_nobody_there_says_what_to_do_and_a_lost_connection_comes_back(
    browser: Browser, tmp_path: Path
) -> None:
    async with crowd(tmp_path, []) as site:
        reader = await Reader.come(browser, site.url, viewport=NARROW)
        await reader.is_told("nobody", "make run")
        port = int(site.url.rpartition(":")[2].strip("/"))
    await reader.is_told("lost", "The connection to the dashboard is lost")
    async with crowd(tmp_path, some(3), port) as site:
        await reader.is_told("told", "Connected again.")
        await expect(reader.at("lost")).to_be_empty()
        await expect(reader.page.get_by_role("rowheader")).to_have_count(3)
    await reader.visit.context.close()


async def test_what_devices_say_is_text_and_who_may_only_read_changes_nothing(
    browser: Browser, few: Crowd
) -> None:
    """A script in a field's name and in a line of the log is shown, and never run."""
    script, name = "<img src=x onerror=alert(1)>", few.names[0]
    reader = await Reader.come(browser, few.url, name)
    await reader.is_told("where", "read-only")
    few.say(f"telemetry/{name}", **{script: 1})
    few.say(f"telemetry/{name}/log", t=1, level="W", area=script, text=script)
    await expect(reader.page.get_by_role("heading", name=script)).to_be_visible()
    await expect(reader.at("log-lines")).to_contain_text(f"{script} {script}")
    assert await reader.page.locator("img[src=x]").count() == 0
    for what in ("Create job", "Send command", "Desire this", "LED on", "Restart", "Replace it now"):
        await expect(reader.button(what)).to_be_disabled()
    await expect(reader.at("world")).to_be_hidden()
    await reader.leave()


async def test_who_reads_old_lines_comes_back_to_the_newest(browser: Browser, few: Crowd) -> None:
    log = f"telemetry/{few.names[1]}/log"
    for number in range(250):
        few.say(log, t=number, level="I", area="app", text=f"line {number}.")
    reader = await Reader.come(browser, few.url, few.names[1])
    lines = reader.at("log-lines").get_by_role("listitem")
    await expect(lines).to_have_count(200)
    await reader.button("Older lines").click()
    await expect(lines.first).to_contain_text("line 0.")
    few.say(log, t=250, level="E", area="app", text="the newest")
    await reader.is_told("log-state", "Paused; 1 new line waits.")
    await reader.button("Pause the log").click()
    await expect(lines.last).to_contain_text("the newest")
    await reader.page.get_by_label("Lines of which level").select_option("Errors alone")
    await expect(lines).to_have_count(1)
    await reader.leave()


async def test_without_uplot_there_is_a_table(browser: Browser, house: Home) -> None:
    visit = await chromium.Visit.start(browser)
    await visit.page.route("**/uPlot.iife.js", lambda route: route.fulfill(status=404))
    await visit.page.goto(f"{house.url}#/device/{NAME}")
    await expect(visit.page.locator("#plots-missing")).to_contain_text("pip install --no-deps uplot-python")
    table = visit.page.get_by_role("region", name="Values as a table")
    await expect(table.get_by_role("cell", name="-55").first).to_be_visible()
    await visit.context.close()


async def test_whatever_is_typed_wrong_is_told_with_its_place(reader: Reader) -> None:
    """The page's own reader of JSON takes what the browser's takes, and knows a place for all else."""
    some_text = '{"a": [1, -2.5e3, true, null], "b\\n": {"c": "d\\u00e9"}}'
    dice = random.Random(16)
    texts = [some_text, "", " ", "[1 2]", "01", "{} {}", "{'a': 1}", "True", '{"a": 1,}', '"\t"', "1.e3", "-"]
    for _ in range(400):
        at, to = sorted(dice.sample(range(len(some_text) + 1), 2))
        texts.append(some_text[:at] + dice.choice(["", ",", '"', "}", "7", "\\", "x"]) + some_text[to:])
    odd = await reader.page.evaluate(_ODD, texts)
    assert odd == []


async def test_200_devices_stay_smooth_and_their_rows_stay(browser: Browser, tmp_path: Path) -> None:
    """At a message a second each: four draws a second at most, tasks under 50 ms, no memory that grows."""
    async with crowd(tmp_path, some(200)) as site:
        talking = asyncio.create_task(site.talk())
        visit = await watched(browser, site.url)
        await expect(visit.page.get_by_role("rowheader")).to_have_count(200)
        await visit.page.evaluate(
            "document.querySelectorAll('#rows tr').forEach((row) => (row.kept_ = true))"
        )
        found = await measure(browser, visit.page, 5)
        talking.cancel()
        assert await visit.page.evaluate(_IN_PLACE) == 200, "rows are made anew"
        assert 1 <= found.frames <= 4 * found.seconds + 1, found
        assert found.usual_cpu_ms < 50, found
        assert found.heap_mb[-1] - found.heap_mb[0] < 1, found
        assert visit.complaints == []
        await visit.context.close()
