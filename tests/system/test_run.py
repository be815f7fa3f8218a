"""`python3 -m tools run`, as `make run` calls it."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.board.support import on_terminal, run_verb
from tests.host.dashboard.browser import Api
from tests.patience import PATIENCE_S
from tools.bench import mosquitto
from tools.cloud import Cloud


def run(*arguments: str, timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def tells(printed: str, *story: str) -> None:
    """Assert that these patterns are found, one after the other."""
    at = 0
    for line in story:
        match = re.search(line, printed[at:])
        assert match, f"{line} not after {printed[:at][-200:]!r}"
        at += match.start()


BY_PHONE = (r"ble +code", r"phone +connecting", r"phone +scanning", r"phone +sending", r"phone +joining Home")


@pytest.mark.parametrize(
    ("arguments", "way"),
    [
        ((), (*BY_PHONE, r"phone +done in .* s: \d+ frames sent, \d+ received, MTU 247")),
        (("--mtu", "23"), (*BY_PHONE, r"phone +done in .* s: 1\d\d frames sent, \d+ received, MTU 23")),
        (("--usb",), (r"usb +configuring",)),
        (("--server-chain", "rsa"), (r"phone +sending 4\d\d\d bytes",)),
        (("--packed",), BY_PHONE),
    ],
)
def test_once_shows_the_timeline_and_ends_with_0(arguments: tuple[str, ...], way: tuple[str, ...]) -> None:
    result = run("--once", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    story = (
        r"AWS IoT Core on this machine",
        r"for others: python3 -m tools cloud client NAME --state ",
        r"system +mode CONFIG",
        *way,
        r"system +restarting: new configuration",
        r"system +mode NORMAL",
        r'wifi +connected to "Home"',
        r"clock +set by sntp",
        r"provisioning +connecting with the claim certificate",
        r'provisioning +this is thing "esp32-240ac4000001"',
        r"cloud +connected",
        r'subscriber +telemetry/esp32-240ac4000001 {"',
        r"app +telemetry 5 acknowledged",
        r"done: 5 messages acknowledged and received",
    )
    tells(result.stdout, *story)
    asked = (
        r'operator +shadow +desires of esp32-240ac4000001: {"led": true}',
        r'operator +shadow +esp32-240ac4000001 reports {"led": true}',
        r"operator +job +blink-\d+ IN_PROGRESS",
        r"operator +job +blink-\d+ SUCCEEDED times=3 percent=100",
        r"operator +command +led-off SUCCEEDED",
        r"done: ",
    )
    tells(result.stdout, *asked)
    assert "http" not in result.stdout, "a page whose devices would have to reach localhost"
    assert "\x1b" not in result.stdout, "colour where there is no terminal"
    assert result.stderr == ""


#: Of each cloud: what its stand-in tells of the device, and how a command is answered.
CLOUDS = {
    "azure": (r"provisioning +this is device .*connected from .* its token", "200 {}"),
    "clearblade": (r"connected from .* its token", r'{"status": "SUCCEEDED"'),
    "alibaba": (r"connected from .* its signature", r'"code": 200, "message": "SUCCEEDED"'),
    "mqtt": (r"cloud +connected", r'{"status": "SUCCEEDED"}'),
    "greengrass": (r"greengrass +core at .*associated with core", r'{"led": 0}'),
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_life_on_another_cloud(cloud: str) -> None:
    if cloud == "mqtt" and mosquitto.find() is None:
        pytest.skip("mosquitto is not installed: on Debian and Ubuntu, apt install mosquitto")
    told, answer = CLOUDS[cloud]
    ways = {"azure": ("--updates",), "greengrass": ("--usb", "--updates")}  # the others': test_others_device
    result = run("--once", "--cloud", cloud, *ways.get(cloud, ("--usb",)))
    assert result.returncode == 0, result.stdout + result.stderr
    story = (
        r"stood in for at localhost:\d+",
        r"system +restarting: new configuration",
        "(?s:" + told + ")",
        r'subscriber +\S.* {"count": 5',
        r"operator +state +\S+ reports {\"led\": true}",
        r"operator +job +blink-\d+ SUCCEEDED",
        r"operator +command +led answered: .*" + re.escape(answer),
        *((r"update-\S+ SUCCEEDED", r"update-\S+ FAILED .*a fault of this version") if cloud in ways else ()),
        *((r"the core is switched off", r"is at AWS IoT Core") if cloud == "greengrass" else ()),
        r"done: \d+ messages received",
    )
    tells(result.stdout, *story)
    assert result.stderr == ""


def test_updates_are_kept_or_given_up(tmp_path: Path) -> None:
    result = run("--once", "--usb", "--updates", "--state", str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    story = (
        r"operator +update +builds and signs version (\S+)\+better",
        r"system +mode OTA",
        r"update +version \S+\+better: 0 of \d+ bytes are there",
        r"cloud +\S+ served \(releases/update-",
        r"system +restarting: version \S+\+better is installed",
        r"update +version \S+\+better counts from now on",
        r"operator +update +update-\S+ SUCCEEDED",
        r"operator +update +builds and signs version \S+\+worse",
        r"RuntimeError: a fault of this version",
        r"the version on trial is given up: the application: RuntimeError",
        r"system +\S+ version \S+\+better on ",
        r"operator +update +update-\S+ FAILED message=the application: RuntimeError: a fault of this version",
        r"done: ",
    )
    tells(result.stdout, *story)
    assert "X-Amz" not in result.stdout, "a URL that anybody can use"


def test_what_is_wired_is_read_and_shown_in_the_timeline(tmp_path: Path) -> None:
    sensors = tmp_path / "sensors.json"
    sensors.write_text('{"temperature": 50}')
    result = run("--once", "--usb", "--sensors", str(sensors))
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"esp32-240ac4000001 pins +temperature 50 °C", result.stdout)
    assert re.search(r"subscriber +telemetry/\S+ .*\"temperature\": ?50\b", result.stdout)


def test_a_state_of_the_other_chain(tmp_path: Path) -> None:
    Cloud(tmp_path / "cloud", server_chain="rsa")._database.close()
    result = run("--once", "--state", str(tmp_path))
    assert result.returncode == 1
    assert "was made with the server chain rsa" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_once_says_what_is_missing() -> None:
    result = run("--once", "--devices", "2", "--timeout", "1")
    assert result.returncode == 1
    assert "run: not 5 messages within 1 s of its start" in result.stdout
    for number in (1, 2):
        assert re.search(
            rf"esp32-240ac400000{number}: \d acknowledged, \d received; last line: ", result.stdout
        )
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--devices", "0"), "--devices: 1 to 200"),
        (("--mtu", "22"), "--mtu: 23 to 517"),
        (("--cloud", "azure", "--devices", "2"), "--cloud has one device and keeps nothing"),
        (("--cloud", "google"), "invalid choice"),
        (("--devices", "many"), "invalid int value"),
        (("--micropython", "/no/such/file"), "/no/such/file"),
    ],
)
def test_arguments_that_make_no_sense(arguments: tuple[str, ...], text: str) -> None:
    result = run("--once", *arguments)
    assert result.returncode in (1, 2)
    assert text in (result.stderr if result.returncode == 2 else result.stdout)
    assert "Traceback" not in result.stdout + result.stderr


def test_help_has_examples() -> None:
    result = run("--help")
    assert result.returncode == 0
    assert "examples:" in result.stdout and "--devices" in result.stdout


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
async def test_a_typed_line_goes_to_the_device_and_ctrl_c_is_no_error() -> None:
    """As a person runs it; the environment is taken as it is."""
    program = ("make", "--assume-old=.venv/ready", "MICROPYTHON=")
    async with on_terminal("run", program=program) as terminal:
        hint, telemetry = "keyboard +a line goes to the device", "telemetry 1 acknowledged"
        await terminal.shows(f"(?s){hint}.*{telemetry}|{telemetry}.*{hint}")
        terminal.type("mode\n")
        await terminal.shows("esp32-240ac4000001 console +> mode")
        await terminal.shows("esp32-240ac4000001 console += ok NORMAL")
        terminal.type("send cmd/+ on\n")
        await terminal.shows(r"keyboard +send cmd/\+: topic with a wildcard")
        terminal.type("send cmd/lamp it is on\n")
        await terminal.shows("subscriber +cmd/lamp it is on")
        terminal.type("\x03")
        await terminal.ended()
        rest = await terminal.rest()
    assert "rror" not in rest and "Traceback" not in rest and "***" not in rest


async def test_another_terminal_and_the_page_see_the_thing(tmp_path: Path) -> None:
    async with on_terminal("run", "--usb", "--state", str(tmp_path)) as terminal:
        await terminal.shows(rf"python3 -m tools thing --state {re.escape(str(tmp_path))}/cloud")
        url = (await terminal.shows(r"page +all devices, live: (http://localhost:\d+/)"))[1]
        await terminal.shows("telemetry 1 acknowledged")
        state = ("--state", str(tmp_path / "cloud"))
        done = await run_verb("thing", "esp32-240ac4000001", "show", *state, "--json")
        async with Api(url) as api, asyncio.timeout(PATIENCE_S):
            while (device := (await api.get("api/fleet"))["devices"][0])["version"] is None:
                await asyncio.sleep(0.1)
        terminal.type("\x03")
        assert await terminal.ended() == 0
    value = json.loads(done.out)["value"]
    assert value["connection"]["connected"] is True
    assert [it["status"] for it in value["certificates"]] == ["ACTIVE"]
    assert (device["name"], device["mode"], device["connected"]) == ("esp32-240ac4000001", "NORMAL", True)


async def test_with_several_devices_a_line_begins_with_the_device() -> None:
    async with on_terminal("run", "--devices", "2", "--usb") as terminal:
        one, two = (f"esp32-240ac400000{number} app +telemetry" for number in (1, 2))
        await terminal.shows(f"(?s){one}.*{two}|{two}.*{one}")  # it restarts no more
        terminal.type("mode\n")
        await terminal.shows(r"keyboard +to which of 2\? Begin with its number or name: 1 status \(esp32-")
        terminal.type("2 mode\n")
        await terminal.shows("esp32-240ac4000002 console += ok [A-Z]+")
        terminal.type("esp32-240ac4000001 mode\n")
        await terminal.shows("esp32-240ac4000001 console += ok [A-Z]+")
        terminal.type("\x03")
        assert await terminal.ended() == 0
