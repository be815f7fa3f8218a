"""The page that sets a device up, in Chromium, whose Bluetooth reaches a simulated device."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from documents import OWN_KEY
from playwright.async_api import FilePayload, expect

from tests.patience import PATIENCE_S, until
from tests.peers.chromium import needs_chromium
from tests.peers.inspection import inspect
from tests.peers.phone_scene import CODE, PASSWORD, WAIT_MS, WRONG_CODE, Scene, scene
from tests.system.house import HOST

pytestmark = needs_chromium

RECONNECTING = "The connection was lost. Connecting again …"
RECONNECTED = "Connected again."
# All that a page can keep a secret in.
_KEPT = """
async () => {
  const kept = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
  const answers = (await Promise.all(kept.map((cache) => cache.matchAll()))).flat();
  const stores = [{ ...localStorage }, { ...sessionStorage }, history.state, await indexedDB.databases()];
  const fields = [...document.querySelectorAll("input, textarea")].map((field) => field.value);
  return [
    document.documentElement.outerHTML, ...fields, JSON.stringify(stores), document.cookie, location.href,
    ...await Promise.all(answers.map((answer) => answer.text())),
  ].join("\\n");
}
"""
# All that stands on the page, or would after a click.
_SHOWN = """
() => {
  const fields = [...document.querySelectorAll("input, textarea")].map((field) => field.value);
  return [document.documentElement.outerHTML, ...fields].join("\\n");
}
"""
# Every text that the line under the progress bar and the one above the step have had.
_WATCH = """
() => {
  const watch = (id, texts) => {
    const line = document.getElementById(id);
    const note = () => line.textContent && texts.push(line.textContent);
    new MutationObserver(note).observe(line, { childList: true });
    return texts;
  };
  window.bytes = watch("progress-bytes", []);
  window.banners = watch("banner", []);
}
"""


def pem_file(name: str, text: str) -> FilePayload:
    """A file that the user picks."""
    return {"name": name, "mimeType": "application/x-pem-file", "buffer": text.encode()}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made
        assert made.visit.complaints == []
        elsewhere = [address for address in made.visit.requests if not address.startswith(made.site.url)]
        assert elsewhere == []
        assert PASSWORD not in "".join(made.visit.console)


async def test_from_nothing_to_normal(here: Scene) -> None:
    page = here.page
    await page.goto(here.label)
    assert page.url == here.site.url
    await here.reach("pick")
    await expect(page.locator("#pick-name")).to_have_text("Choose esp32-240ac4000001.")
    await inspect(page, "1-pick")
    await here.button("Find device").click()
    await here.reach("network")
    await expect(page.locator("#networks button")).to_have_count(3, timeout=WAIT_MS)
    await expect(here.button("Home")).to_have_accessible_name("Home Excellent signal, WPA2")
    await expect(here.button("Open")).to_have_accessible_name("Open Excellent signal, open")
    await inspect(page, "3-network")
    await here.button("Home").click()
    await here.reach("password")
    field = page.get_by_label("Password", exact=True)
    await field.fill("short")
    await here.button("Continue").click()
    await expect(page.locator("#password-problem")).to_contain_text("at least 8 characters")
    await expect(field).to_be_focused()
    await inspect(page, "4-password")
    await field.fill(PASSWORD)
    await here.button("Show password").click()
    await expect(field).to_have_attribute("type", "text")
    await here.button("Continue").click()
    await here.reach("check")
    await expect(page.locator("#cloud")).not_to_have_attribute("open", "")
    await expect(page.locator("#check-cloud")).to_have_text("iot.example.com")
    await inspect(page, "5-check")
    flash = here.device.folder / "nvs"
    told = asyncio.create_task(until(lambda: [*flash.rglob("*told_time*")], "the phone's time"))
    await here.button("Set up device").click()
    await here.reach("done")
    await told  # which is forgotten once the cloud was reached
    await inspect(page, "7-done")
    await here.device.expect("system: mode NORMAL")
    kept = await page.evaluate(_KEPT)
    assert PASSWORD not in kept
    assert CODE not in kept
    assert CODE.replace("-", "") not in kept


async def test_wrong_code_then_the_right_one(here: Scene) -> None:
    page = here.page
    await page.goto(here.site.url)
    await here.button("Find device").click()
    await here.reach("code")
    field = page.get_by_role("textbox", name="Code")
    await field.press_sequentially("7k3m 9pqrw2xu")
    await expect(field).to_have_value("7K3M-9PQR-W2XU")
    await here.button("Continue").click()
    await expect(page.locator("#code-problem")).to_contain_text("not a code")
    await field.fill(WRONG_CODE.lower())
    await here.button("Continue").click()
    await here.told("code. Look at its label again")
    await expect(page.locator("#code")).to_be_visible()
    await inspect(page, "2-code-wrong")
    await field.fill(CODE.replace("-", " ").lower())
    await here.button("Continue").click()
    await here.reach("network")
    await expect(page.locator("#error")).to_be_empty()


async def test_wrong_password_then_the_right_one(here: Scene) -> None:
    page = here.page
    await here.to_networks()
    await here.to_check("battery staple")
    await here.button("Set up device").click()
    await here.reach("password")
    await here.told("does not accept this password")
    await expect(page.get_by_label("Password", exact=True)).to_have_value("")
    await inspect(page, "4-password-wrong")
    await here.type_password(PASSWORD)
    await here.button("Set up device").click()
    await here.reach("done")
    await here.device.expect("system: mode NORMAL")


async def test_certificates_are_looked_at_before_they_are_sent(here: Scene) -> None:
    page = here.page
    await here.to_networks()
    await here.to_check()
    await page.locator("#cloud summary").click()
    key, root = page.get_by_label("Claim key"), page.get_by_label("Root certificate")
    right = await root.input_value()
    problem = page.locator("#cloud-problem")
    assert here.site.product

    await key.set_input_files(pem_file("own.key", OWN_KEY))
    await expect(page.locator("#cloud-claim_key-from")).to_have_text("From own.key.")
    await here.button("Set up device").click()
    told = "Claim key: it is not the key of the certificate; take the one that was made with it."
    await expect(problem).to_have_text(told)
    await expect(key).to_be_focused()
    await inspect(page, "5-check-wrong-key")
    await key.set_input_files(pem_file("claim.key", "x" * 65537))
    await expect(problem).to_have_text("Claim key: this file is too large to be a key.")
    await key.set_input_files(pem_file("claim.key", "# a comment\n" + here.site.product["aws"]["claim_key"]))
    await expect(problem).to_be_empty()

    await root.fill(OWN_KEY)
    await here.button("Set up device").click()
    await expect(problem).to_have_text("Root certificate: no certificate, but a private key.")
    await expect(root).to_be_focused()
    await inspect(page, "5-check-wrong")
    await root.fill("# with a comment\n" + right.replace("\n", " "))
    await here.button("Set up device").click()
    await here.reach("done")
    await here.device.expect("system: mode NORMAL")


async def test_who_sets_up_sees_no_key(here: Scene) -> None:
    assert here.site.product
    secret = here.site.product["aws"]["claim_key"].splitlines()[1]
    await here.to_networks()
    await here.to_check()
    await here.page.get_by_text("Cloud details").click()
    await expect(here.page.locator("#cloud-claim_key-from")).to_have_text("From the product file.")
    await expect(here.page.get_by_label("Provisioning template")).to_have_value("LocalTemplate")
    await inspect(here.page, "5-check-details")
    for kind in ("It is here", "The device gets its own"):  # nor behind what is hidden
        await here.page.get_by_text(kind).click()
        assert secret not in await here.page.evaluate(_SHOWN)
    tree = await here.page.locator("body").aria_snapshot()
    assert "Claim key" in tree and secret not in tree
    await here.button("Set up device").click()
    await here.reach("done")
    assert secret not in await here.page.evaluate(_SHOWN)
    assert secret not in "".join(here.visit.console)


async def test_a_device_that_comes_back_tells_why(here: Scene) -> None:
    """It is stored, but its cloud cannot be reached: who sends the same once more is told before."""
    here.world.unknown_names.add(HOST)
    await here.device.power_off()
    with (here.device.files / "firmware/settings.py").open("a") as settings:
        settings.write("CLOUD_REACH_MS = 10_000\n")  # in which a device makes its key, too
    await here.device.power_on()
    await here.device.expect("system: mode CONFIG")
    await here.to_networks()
    await here.to_check()
    await here.button("Set up device").click()
    await here.reach("done")
    await expect(here.page.locator("#done-text")).to_contain_text("it did not reach its cloud")
    await here.device.expect("system: restarting: the cloud was never reached")
    await here.device.expect("system: mode CONFIG")
    here.world.unknown_names.clear()
    await here.button("Set up another").click()
    await here.reach("pick")
    await here.bridge.begin_anew()
    await here.button("Find device").click()
    await here.reach("code")
    await here.page.get_by_label("Code", exact=True).fill(CODE)
    await here.button("Continue").click()
    await here.reach("network")
    await here.told("the device did not reach its cloud (")
    await here.to_check()
    await here.button("Set up device").click()
    await here.reach("done")
    await here.device.expect("cloud: connected")


async def test_a_connection_that_is_lost_half_way_is_resumed(here: Scene) -> None:
    page = here.page
    await here.to_networks()
    await here.to_check()
    await page.evaluate(_WATCH)
    await page.wait_for_function("() => navigator.serviceWorker.controller")
    stop_at = here.bridge.writes + 8  # BEGIN, the five frames of a piece, and one of the next
    stopped, go_on = asyncio.Event(), asyncio.Event()

    async def on_write(number: int) -> None:
        if number == stop_at:
            stopped.set()
            await go_on.wait()

    here.bridge.on_write = on_write
    await here.button("Set up device").click()
    async with asyncio.timeout(PATIENCE_S):
        await stopped.wait()
    await inspect(page, "6-progress")
    await here.bridge.quiet(operations=1)
    here.world.air_ble.break_links()
    go_on.set()
    await here.reach("done")
    await here.device.expect("system: mode NORMAL")
    assert await page.evaluate("banners") == [RECONNECTING, RECONNECTED]
    at = [int(text.split(" of ")[0].replace(",", "")) for text in await page.evaluate("bytes")]
    assert at == sorted(at), "it began anew"
    assert len([one for one in at if at.count(one) > 1]) == 2, "it did not go on where it stopped"


async def test_a_user_may_think_and_a_connection_that_is_lost_meanwhile_comes_back(here: Scene) -> None:
    await here.page.clock.install()
    await here.to_networks()
    await expect(here.button("Home")).to_be_visible(timeout=WAIT_MS)
    await expect(here.page.locator("#network-state")).to_be_empty(timeout=WAIT_MS)
    writes = here.bridge.writes
    await here.page.clock.fast_forward(10_000)
    await until(lambda: here.bridge.writes > writes, "a sign of life within 10 s")
    await here.bridge.quiet()
    here.world.air_ble.break_links()
    banner = here.page.locator("#banner")
    await expect(banner).to_have_text("Connected again.", timeout=WAIT_MS)
    await here.to_check()
    await here.button("Set up device").click()
    await here.reach("done")


async def test_with_the_keyboard_alone(here: Scene) -> None:
    page, keyboard = here.page, here.page.keyboard
    await page.goto(here.site.url)
    await here.reach("pick")
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await here.reach("code")
    await keyboard.press("Tab")
    await keyboard.type(CODE.replace("-", ""))
    await keyboard.press("Enter")
    await here.reach("network")
    await expect(here.button("Home")).to_be_visible(timeout=WAIT_MS)
    for _ in range(10):
        await keyboard.press("Tab")
        if "Home" in await page.evaluate("document.activeElement.textContent"):
            break
    await keyboard.press("Space")
    await here.reach("password")
    await keyboard.press("Tab")
    await keyboard.type(PASSWORD)
    await keyboard.press("Enter")
    await here.reach("check")
    await keyboard.press("Tab")  # the details
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await here.reach("done")


async def test_the_way_back(here: Scene) -> None:
    page = here.page
    await here.to_networks()
    await here.to_check()
    await page.go_back()  # the phone's own key
    await here.reach("password")
    await expect(page.get_by_label("Password", exact=True)).to_have_value("")
    await here.button("Back").click()
    await here.reach("network")
    await here.button("Open").click()
    await here.reach("check")
    await here.button("Back").click()
    await here.reach("network")
    await here.button("Back").click()
    await here.reach("pick")


async def test_a_hidden_network_and_cloud_details_by_hand(here: Scene) -> None:
    page = here.page
    product = here.site.product
    assert product
    here.site.product = None
    await here.to_networks()
    await page.get_by_text("Other network").click()
    await page.get_by_label("Network name").fill("Home")
    await here.button("Use this network").click()
    await here.type_password(PASSWORD)
    await here.button("Set up device").click()
    await expect(page.locator("#cloud-problem")).to_have_text("Endpoint is missing.")
    await expect(page.get_by_label("Endpoint")).to_be_focused()
    for member, value in product["aws"].items():
        if member == "claim_key":
            await page.get_by_label("Claim key").set_input_files(pem_file("claim.pem.key", value))
        elif await page.locator(f"#cloud-{member}").is_visible():
            await page.locator(f"#cloud-{member}").fill(value)
    await inspect(page, "5-check-by-hand")
    await here.button("Set up device").click()
    await here.reach("done")


async def test_a_product_file_of_the_users(here: Scene, tmp_path: Path) -> None:
    page = here.page
    product, here.site.product = here.site.product, None
    wrong, right = tmp_path / "wrong.json", tmp_path / "right.json"
    wrong.write_text("[]")
    right.write_text(json.dumps(product))
    await here.to_networks()
    await here.to_check()
    await page.get_by_label("Product file").set_input_files(wrong)
    await expect(page.locator("#cloud-problem")).to_contain_text("This is not a product file")
    await page.get_by_label("Product file").set_input_files(right)
    await expect(page.locator("#cloud-problem")).to_be_empty()
    await expect(page.locator("#check-cloud")).to_have_text("iot.example.com")
    await here.button("Set up device").click()
    await here.reach("done")


@pytest.mark.parametrize(
    ("keys", "asked"), [("service", "keys and a certificate"), ("device", "a certificate")]
)
async def test_who_makes_the_key_is_the_product_s_or_the_user_s_choice(
    here: Scene, keys: str, asked: str
) -> None:
    page = here.page
    product = here.site.product
    assert product
    product["aws"]["keys"] = "service"
    await here.to_networks()
    await here.to_check()
    await page.get_by_text("Cloud details").click()
    choice = page.get_by_label("The cloud makes its key")
    await expect(choice).to_be_checked()
    await choice.set_checked(keys == "service")
    await here.button("Set up device").click()
    await here.reach("done")
    await here.device.expect(f"provisioning: asking for {asked}$")


async def test_settings_that_the_device_refuses_can_be_corrected(here: Scene) -> None:
    page = here.page
    await here.to_networks()
    await here.to_check()
    await page.get_by_text("Cloud details").click()
    await page.get_by_label("Endpoint").fill("no host")
    await here.button("Set up device").click()
    await here.reach("check")
    await here.told("aws.endpoint: has a character that is not allowed")
    await page.get_by_label("Endpoint").fill("iot.example.com")
    await here.button("Set up device").click()
    await here.reach("done")


async def test_the_fields_of_another_cloud_and_what_the_device_says_of_one(here: Scene) -> None:
    page = here.page
    product, here.site.product = here.site.product, None
    assert product
    secret = base64.b64encode(b"the key of a group of devices").decode()
    await here.to_networks()
    await here.to_check()
    await page.get_by_label("Which cloud").select_option("azure")
    await expect(page.get_by_label("Provisioning template")).to_be_hidden()
    await page.get_by_label("Endpoint").fill(HOST)
    await page.get_by_label("Root certificate").fill(product["aws"]["root_ca"])
    await page.get_by_label("ID scope").fill("no scope")
    key = page.get_by_label("Group’s key")  # noqa: RUF001
    await expect(key).to_have_attribute("type", "password")
    await here.button("Set up device").click()
    await expect(page.locator("#cloud-problem")).to_have_text("Group’s key is missing.")  # noqa: RUF001
    await expect(key).to_be_focused()
    await key.fill(secret)
    await here.button("Set up device").click()
    await here.reach("check")
    await here.told("azure.id_scope: has a character that is not allowed")
    said = page.locator("[data-member=id_scope] #member-problem")
    await expect(said).to_have_text("ID scope: has a character that is not allowed")
    await expect(page.get_by_label("ID scope")).to_have_attribute("aria-invalid", "true")
    assert secret not in await page.evaluate(_SHOWN)
    await inspect(page, "5-check-azure")
    await page.get_by_label("ID scope").fill("0ne00000001")
    await expect(said).to_be_empty()
    await here.button("Set up device").click()
    await here.reach("done")
    await here.device.expect(f"provisioning: connecting to {HOST} as ")
    assert secret not in "".join([await page.evaluate(_KEPT), *here.visit.console, *here.device.lines])


async def test_wrong_codes_make_the_device_pause(here: Scene) -> None:
    page = here.page
    await page.goto(here.site.url)
    await here.button("Find device").click()
    for wrong in range(1, 4):
        await expect(page.locator("#code-go")).not_to_have_attribute("aria-disabled", "true", timeout=WAIT_MS)
        await page.locator("#code-input").fill(WRONG_CODE)
        await here.button("Continue").click()
        if wrong < 3:
            await here.told("That is not this device")
    await here.told("the device lets no phone in for a while")
    await here.reach("pick")


async def test_at_the_smallest_mtu(tmp_path: Path) -> None:
    async with scene(tmp_path, mtu=23) as here:
        await here.to_networks()
        await here.to_check()
        await here.button("Set up device").click()
        await here.page.locator("#done").wait_for(timeout=WAIT_MS)
        await here.device.expect("system: mode NORMAL")
