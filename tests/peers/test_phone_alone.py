"""The page where there is no device: browsers that cannot, Bluetooth that is off, no network, its modules."""

import json
import re
import shutil
import subprocess
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from iot import config
from iot.ble.frames import split
from playwright.async_api import Browser, expect

from tests.patience import until
from tests.peers.chromium import Visit, needs_chromium
from tests.peers.inspection import inspect
from tools import phone
from tools.cloud.ca import Authority
from tools.phone.serve import PAGE, version

ROOT = Path(__file__).resolve().parents[2]
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
)
FIREFOX = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"
NO_BLUETOOTH = 'Object.defineProperty(Navigator.prototype, "bluetooth", {value: undefined});'
WIFI = {"wifi": [{"ssid": "Home"}]}
_THROUGH_THE_FORM = """async (given) => {
  const product = await import("./product.js");
  product.fill(given);
  return product.missing()?.text ?? await product.merged({});
}"""
PRODUCT = {"aws": {"endpoint": "iot.example.com", "root_ca": "…"}}


def in_browser(test: Any) -> Any:
    """A test of the page, in the one browser that all tests here share: each has a profile of its own."""
    return needs_chromium(pytest.mark.asyncio(loop_scope="module")(test))


@pytest_asyncio.fixture(loop_scope="module")
async def site() -> AsyncIterator[phone.Page]:
    async with phone.Page(0, PRODUCT) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    visit = await Visit.start(browser)
    yield visit
    await visit.context.close()


@in_browser
@pytest.mark.parametrize(
    ("agent", "todo"), [(IPHONE, "Bluefy"), (FIREFOX, "Chrome or Edge")], ids=["iphone", "firefox"]
)
async def test_a_browser_without_bluetooth_is_told_what_to_do(
    site: phone.Page, browser: Browser, agent: str, todo: str
) -> None:
    visit = await Visit.start(browser, user_agent=agent)
    await visit.page.add_init_script(NO_BLUETOOTH)
    label = f"{site.url}#code=7K3M9PQRW2XY&name=esp32-240ac4000001"
    await visit.page.goto(label)
    await expect(visit.page.locator("#unsupported-title")).to_be_focused()
    await expect(visit.page.locator("#unsupported-todo")).to_contain_text(todo)
    address = visit.page.get_by_label("Address", exact=True)
    await expect(address).to_have_value(label)
    assert visit.page.url == label, "what the browser's own sharing takes"
    said = visit.page.locator("#unsupported-copied")
    await visit.context.grant_permissions([])
    await visit.page.get_by_role("button", name="Copy address").click()
    await expect(said).not_to_be_empty()
    await visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await visit.page.get_by_role("button", name="Copy address").click()
    await expect(said).to_have_text("Copied.")
    assert await visit.page.evaluate("navigator.clipboard.readText()") == label
    await inspect(visit.page, f"0-unsupported-{'iphone' if agent == IPHONE else 'firefox'}")
    assert visit.complaints == []
    await visit.context.close()


@in_browser
async def test_a_page_that_is_not_secure_says_so(site: phone.Page, visit: Visit) -> None:
    await visit.page.add_init_script('Object.defineProperty(window, "isSecureContext", {value: false});')
    await visit.page.add_init_script(
        'Object.defineProperty(Navigator.prototype, "clipboard", {value: undefined});'  # as on such pages
    )
    await visit.page.goto(f"{site.url}#code=7K3M9PQRW2XY")
    await expect(visit.page.locator("#unsupported-todo")).to_contain_text("https://")
    address = visit.page.get_by_label("Address", exact=True)
    await expect(address).to_have_value(site.url.replace("http", "https") + "#code=7K3M9PQRW2XY")
    await visit.page.get_by_role("button", name="Copy address").click()
    await expect(visit.page.locator("#unsupported-copied")).to_contain_text("marked")
    marked = "[document.activeElement.selectionStart, document.activeElement.selectionEnd]"
    assert await visit.page.evaluate(marked) == [0, len(site.url) + 1 + len("#code=7K3M9PQRW2XY")]


@in_browser
async def test_bluetooth_that_is_off_and_a_choice_that_is_refused(site: phone.Page, visit: Visit) -> None:
    browser = visit.context.browser
    assert browser
    bluetooth = await browser.new_browser_cdp_session()
    await bluetooth.send("BluetoothEmulation.enable", {"state": "absent", "leSupported": True})
    await visit.page.goto(site.url)
    error = visit.page.locator("#error")
    await expect(error).to_contain_text("Bluetooth is off")
    await visit.page.get_by_role("button", name="Find device").click()
    await expect(error).to_contain_text("Bluetooth is off")
    await bluetooth.send("BluetoothEmulation.setSimulatedCentralState", {"state": "powered-on"})
    access = await visit.context.new_cdp_session(visit.page)
    prompts: list[str] = []
    access.on("DeviceAccess.deviceRequestPrompted", lambda event: prompts.append(event["id"]))
    await access.send("DeviceAccess.enable")
    await visit.page.get_by_role("button", name="Find device").click()
    await expect(error).to_be_empty()
    await until(lambda: prompts, "a prompt")
    await access.send("DeviceAccess.cancelPrompt", {"id": prompts[0]})
    await expect(error).to_contain_text("No device was chosen.")
    await bluetooth.send("BluetoothEmulation.disable")  # the browser is there for other tests as well


@in_browser
async def test_it_opens_without_a_network(site: phone.Page, visit: Visit) -> None:
    await visit.page.goto(site.url)
    await visit.page.wait_for_function("() => navigator.serviceWorker.controller")
    await visit.page.reload()  # product.json goes through the service worker only now
    await expect(visit.page.locator("#cloud-endpoint")).to_have_value("iot.example.com")
    await visit.context.set_offline(True)
    await visit.page.reload()
    await expect(visit.page.locator("#pick-title")).to_be_focused()
    await expect(visit.page.locator("#cloud-endpoint")).to_have_value("iot.example.com")
    answer = await visit.page.request.get(site.url + "manifest.webmanifest")
    assert answer.headers["content-type"].startswith("application/manifest+json")


@in_browser
async def test_it_can_be_installed(site: phone.Page, visit: Visit) -> None:
    await visit.page.goto(site.url)
    session = await visit.context.new_cdp_session(visit.page)
    manifest = await session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert json.loads(manifest["data"])["display"] == "standalone"
    found = await session.send("Page.getInstallabilityErrors")
    errors = [error["errorId"] for error in found["installabilityErrors"]]
    assert set(errors) <= {"in-incognito"}  # as which Playwright's profile counts


@in_browser
async def test_a_changed_product_file_is_taken(site: phone.Page, visit: Visit) -> None:
    await visit.page.goto(site.url)
    await visit.page.wait_for_function("() => navigator.serviceWorker.controller")
    site.product = {"aws": {"endpoint": "other.example.com", "root_ca": "…"}}
    await visit.page.reload()
    await expect(visit.page.locator("#cloud-endpoint")).to_have_value("other.example.com")


async def run(visit: Visit, script: str, argument: Any = None) -> Any:
    """What an async function of the modules gives, in the page."""
    modules = "const [f, s] = await Promise.all([import('/frames.js'), import('/session.js')]);"
    return await visit.page.evaluate(f"async (given) => {{ {modules} {script} }}", argument)


@in_browser
async def test_frames_are_the_devices(site: phone.Page, visit: Visit) -> None:
    await visit.page.goto(site.url)
    message = bytes(number * 7 % 256 for number in range(3000))
    for length in (1, 19, 20, 1216, 1235, 3000):
        for mtu in (23, 247):
            made = await run(
                visit,
                "return [...f.split(new Uint8Array(given[0]), given[1])].map((frame) => [...frame]);",
                [list(message[:length]), mtu - 3],
            )
            assert [bytes(frame) for frame in made] == list(split(message[:length], mtu))
            joined = await run(
                visit,
                "const a = new f.Assembler(); let m;"
                "for (const frame of given) m = a.add(2, new Uint8Array(frame)); return [...m];",
                made,
            )
            assert bytes(joined) == message[:length]


@in_browser
@pytest.mark.parametrize(
    "frames",
    [[(2, 0x80), (2, 0x42)], [(2, 0x80), (3, 0x41)], [(2, 0x41)], [(2, 0x80), (2, 0x80), (2, 0x42)]],
    ids=["a gap", "another characteristic", "no first", "a gap after a new first"],
)
async def test_frames_that_do_not_fit_are_dropped(site: phone.Page, visit: Visit, frames: list[Any]) -> None:
    await visit.page.goto(site.url)
    made = await run(
        visit,
        "const a = new f.Assembler(); return given.map(([c, h]) => a.add(c, new Uint8Array([h, 1])));",
        frames,
    )
    assert made == [None] * len(frames)


@in_browser
async def test_codes_are_read_as_people_write_them(site: phone.Page, visit: Visit) -> None:
    await visit.page.goto(site.url)
    for written in ("abcd-efgh-jkmn", " ABCD EFGH JKMN ", "ABCD–EFGH–JKMN"):  # noqa: RUF001
        assert await run(visit, "return s.spelt(s.normalised(given));", written) == "ABCD-EFGH-JKMN"
    assert await run(visit, "return s.normalised(given);", "oOiIlL") == "001111"
    for wrong in ("ABCDEFGHJKM", "ABCDEFGHJKMU", "ABCDEFGHJKMNP"):
        assert not await run(visit, "return s.isCode(given);", wrong)


def example() -> dict[str, Any]:
    """The worked example of docs/ble.md: bytes (as numbers, as Chromium takes them) under each title."""
    block = (ROOT / "docs/ble.md").read_text().partition("## A worked example")[2].split("```")[1]
    found = re.findall(r"^(\S.*)\n((?: {4}[0-9a-f]+\n)+)", block, re.MULTILINE)
    made: dict[str, Any] = {title: list(bytes.fromhex("".join(lines.split()))) for title, lines in found}
    private = bytes(made["phone's private key"])
    x, y = (bytes(made["HELLO of the phone"])[start : start + 32] for start in (3, 35))
    numbers = {"d": private, "x": x, "y": y}
    encoded = {name: urlsafe_b64encode(number).decode().rstrip("=") for name, number in numbers.items()}
    made["jwk"] = {"kty": "EC", "crv": "P-256", **encoded}
    return made


# Leads a session by the example up to the device's proof; `caught` gives the name of what is thrown.
_SESSION = """
const bytes = (title) => new Uint8Array(given[title]);
const caught = (promise) => promise.then(() => "", (error) => error.name);
const curve = { name: "ECDH", namedCurve: "P-256" };
const { d, ...open } = given.jwk;
const privateKey = await crypto.subtle.importKey("jwk", given.jwk, curve, false, ["deriveBits"]);
const publicKey = await crypto.subtle.importKey("jwk", open, curve, true, []);
const session = new s.Session("ABCDEFGHJKMN", { privateKey, publicKey });
const hello = await session.hello();
await session.onHello(bytes("HELLO of the device"));
"""


@in_browser
async def test_a_session_by_the_worked_example(site: phone.Page, visit: Visit) -> None:
    await visit.page.goto(site.url)
    given = example()
    made = await run(
        visit,
        _SESSION
        + """
        const proof = await session.proof();
        await session.onProof(bytes("PROOF of the device"));
        const request = await session.seal(3, new Uint8Array([1]));
        const answer = await session.open(3, bytes("the answer, sealed, counter 0"));
        const frames = f.join(...f.split(hello, 20));
        return [hello, proof, request, frames, answer].map((bytes) => [...bytes]);
        """,
        given,
    )
    assert made[:4] == [
        given["HELLO of the phone"],
        given["PROOF of the phone"],
        given["STATUS GET, sealed, counter 0"],
        given["the frames of the phone's HELLO at an MTU of 23"],
    ]
    assert json.loads(bytes(made[4])) == {"op": 1, "code": 0, "name": "SUCCESS"}


@in_browser
async def test_a_session_refuses_what_is_not_the_devices(site: phone.Page, visit: Visit) -> None:
    await visit.page.goto(site.url)
    names = await run(
        visit,
        _SESSION
        + """
        const torn = bytes("PROOF of the device");
        torn[32] ^= 1;
        const answer = bytes("the answer, sealed, counter 0");
        const changed = answer.map((byte, at) => at === 9 ? byte ^ 1 : byte);
        return [
          await caught(session.onHello(bytes("HELLO of the phone").fill(7, 3))),
          await caught(session.onProof(torn)),
          await caught(session.onProof(new Uint8Array([255, 18]))),
          await caught(session.open(3, changed)),
          await caught(session.open(2, answer)),
          await caught(session.open(3, answer)),
          await caught(session.open(3, answer)),
        ];
        """,
        example(),
    )
    assert names == [
        "Refused",
        "Refused",
        "Refused",
        "ConnectionLost",
        "ConnectionLost",
        "",
        "ConnectionLost",
    ]


# Parses what is on its standard input, {name: text}, as modules; an error is thrown.
_PARSE = """
import fs from "node:fs";
import vm from "node:vm";
for (const [identifier, text] of Object.entries(JSON.parse(fs.readFileSync(0, "utf-8")))) {
  new vm.SourceTextModule(text, { identifier });
}
"""


def test_modules_parse() -> None:
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node (apt install nodejs)")
    modules = {path.name: path.read_text() for path in sorted(PAGE.glob("*.js"))}
    assert len(modules) > 10
    command = [node, "--experimental-vm-modules", "--no-warnings", "--input-type=module", "-e", _PARSE]
    for wrong in ({}, {"wrong.js": "import 7;"}):
        given = json.dumps(modules | wrong)
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == bool(wrong) and ("wrong.js" in done.stderr) == bool(wrong), (
            done.stderr
        )


def test_the_service_worker_keeps_all_files_and_tells_this_version() -> None:
    worker = (PAGE / "sw.js").read_text()
    listed = set(json.loads("[" + worker.split("FILES = [")[1].split("]")[0].strip().rstrip(",") + "]"))
    files = {path.name for path in PAGE.iterdir()} - {"sw.js", "index.html"} | {"./"}
    assert listed == files
    assert f'VERSION = "{version()}"' in worker, (
        f'the page has changed: write VERSION = "{version()}" in sw.js'
    )


@in_browser
async def test_the_form_has_what_devices_take_of_each_cloud_and_loses_none_of_it(
    site: phone.Page, visit: Visit, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue()
    own = {"certificate": certificate, "key": key}
    place = {"endpoint": "cloud.example.com", "root_ca": authority.root_pem}
    claim = {"template": "Home", "claim_certificate": certificate, "claim_key": key, "keys": "service"}
    secret = b64encode(b"of a device or a group").decode()
    registry = {"project": "p", "location": "us-central1", "registry": "lamps"}
    login = {"user": "lamp", "password": "hunter2"}
    products: list[tuple[str, dict[str, Any]]] = [
        *(("aws", one) for one in (claim, {"thing_name": "lamp", **own})),
        *(("azure", {"device_id": "lamp", **one}) for one in ({"shared_access_key": secret}, own)),
        ("azure", {"id_scope": "0ne1", "group_key": secret}),
        ("clearblade", {"key": key, **registry}),
        ("alibaba", {"product_key": "pk", "device_id": "lamp", "device_secret": "hunter2"}),
        *(("mqtt", {"port": 8884, **one}) for one in (login, own, {**login, **own}, {"user": "lamp", **own})),
    ]
    assert {cloud for cloud, _ in products} == set(config.CLOUDS)
    await visit.page.goto(site.url)
    for cloud, members in products:
        product = {cloud: {**place, **members}}
        made = await visit.page.evaluate(_THROUGH_THE_FORM, product)
        assert isinstance(made, dict), (cloud, members.keys(), made)
        assert config.validate({**WIFI, **made}) == config.validate({**WIFI, **product}), members.keys()
