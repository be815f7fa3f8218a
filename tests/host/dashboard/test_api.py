"""The page's server with a real cloud and a simulated device: what a person sees and does, by the API."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.host.dashboard.browser import Api, Events
from tests.patience import PATIENCE_S
from tests.system.house import ask, send_configuration, settle
from tools.cloud import Cloud
from tools.dashboard.local import page_of
from tools.dashboard.server import Dashboard
from tools.dashboard.simulation import Simulation
from tools.live import declare_metrics
from tools.sim import Device, World
from tools.updates import reports

WIFI = {"ssid": "Home", "password": "correct horse"}
NAME = "esp32-240ac4000001"
PATH = f"api/devices/{NAME}"


class NoReleases:
    """One that cannot be published."""

    async def list_(self) -> list[dict[str, Any]]:
        return [{"release": "r", "version": "2.0", "kind": "app"}]

    async def update(self, thing: str, release: str) -> str:
        return f"update of {thing} to {release}"


@dataclass
class Scene:
    """A device that has no configuration yet, and the page."""

    cloud: Cloud
    device: Device
    page: Dashboard
    api: Api

    async def set_up(self) -> dict[str, Any]:
        """From nothing to telemetry; its configuration."""
        await self.device.power_on()
        await self.device.expect("system: mode CONFIG")
        status, told = await self.api.ask("POST", f"api/world/{NAME}", {"phone": "connect"})
        assert status == 200 and "code" in told["text"]  # a second phone's is not the device's
        document = self.cloud.device_configuration([WIFI])
        await send_configuration(self.device, document)
        await self.device.expect(r"app: telemetry 1 acknowledged")
        return document


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setenv("SIM_SPEED", "5")
    async with contextlib.AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(Cloud(tmp_path / "cloud", files_port=0, rest_port=0))
        declare_metrics(cloud)
        world = await stack.enter_async_context(World({WIFI["ssid"]: WIFI["password"]}))
        device = Device(tmp_path / "device", world, on_line=lambda line: page.line(NAME, line))
        device.install()
        settle(device, REPORTS=reports())
        simulation = Simulation(world, {NAME: device})
        made = await page_of(tmp_path / "cloud", 0, simulation=simulation, releases=NoReleases())
        page = await stack.enter_async_context(made)
        api = await stack.enter_async_context(Api(page.url))
        stack.push_async_callback(device.power_off)
        yield Scene(cloud, device, page, api)


def of(name: str, key: str) -> Any:
    """A condition: what a stream's event has under this key for the device."""
    return lambda data: data.get(key, {}).get(name)


def summary(**wanted: Any) -> Any:
    """A condition: the device is so."""

    def found(data: dict[str, Any]) -> dict[str, Any] | None:
        for one in data["devices"]:
            if one["name"] == NAME and all(one[key] == value for key, value in wanted.items()):
                return one
        return None

    return found


async def test_a_device_is_seen_as_it_comes_and_does_what_it_is_told(scene: Scene) -> None:
    api = scene.api
    fleet = await api.get("api/fleet")
    assert (fleet["cloud"], fleet["writable"], fleet["simulation"]) == ("local", True, True)
    assert [(one["name"], one["connected"]) for one in fleet["devices"]] == [
        (NAME, None)
    ]  # no client of ours
    assert "--accent" in (await api.ask("GET", "common.css"))[1]  # which is the phone's
    async with Events(f"{scene.page.url}api/stream?device={NAME}") as events:
        document = await scene.set_up()
        points = await events.until(of(NAME, "points"))
        assert points[0][1]["temperature"] == 53 and points[0][1]["count"] == 1
        version = summary(connected=True, mode="NORMAL", version="0.1.0", rssi=-55, crash_free_h=0)
        seen = version(await api.get("api/fleet")) or await events.until(version)
        assert seen["heap_free"] > 0
        await see_what_is_known(api, document)
        await change_the_shadow(api, events)
        await have_it_work(api, events)
        await move_the_world(scene, events)


async def see_what_is_known(api: Api, document: dict[str, Any]) -> None:
    found = await api.get(PATH)
    assert {"temperature", "count", "heap", "metrics.rssi"} <= set(found["fields"])
    assert found["shadows"] == ["", "$package"] and found["jobs"] == [] and found["commands"] == []
    assert [mode for _, mode in found["modes"]] == ["CONFIG", "NORMAL"] * (len(found["modes"]) // 2)
    assert [one["status"] for one in found["certificates"]] == ["ACTIVE"]
    assert found["summary"]["certificate_end"] == found["certificates"][0]["end"] > 1.8e12
    series = await api.get(f"{PATH}/series?fields=temperature,count,nothing&points=50")
    assert series["fields"] == ["temperature", "count"] and series["values"][0][0] == 53
    assert len(series["times"]) == len(series["values"][1])
    head, first, *_ = (await api.get(f"{PATH}/telemetry.csv")).splitlines()
    assert head.split(",")[0] == "time" and "temperature" in head and ",53" in first
    log = await api.get(f"{PATH}/log?count=500")
    assert [line["id"] for line in log] == sorted(line["id"] for line in log)
    assert any(line["text"] == "mode NORMAL" for line in log)
    assert any(line["text"] == "code …" for line in log)
    told = json.dumps([found, log])
    for secret in (WIFI["password"], document["aws"]["claim_key"].splitlines()[1]):
        assert secret not in told


async def change_the_shadow(api: Api, events: Events) -> None:
    before = await api.get(f"{PATH}/shadow")
    wanted = {"desired": {"led": False, "other": {"a": 1, "b": 2}}, "version": before["version"]}
    status, after = await api.ask("PUT", f"{PATH}/shadow", wanted)
    assert status == 200 and after["desired"] == wanted["desired"]
    assert (await api.ask("PUT", f"{PATH}/shadow", wanted))[0] == 409  # somebody else's change is not undone
    while (shadow := await api.get(f"{PATH}/shadow"))["reported"].get("led") is not False:
        await events.until(of(NAME, "shadow"))
    assert shadow["delta"] == {"other": {"a": 1, "b": 2}}
    wishes: list[dict[str, Any]] = [{"other": {"b": 3}}, {"other": {"b": {}}}, {}]
    for desired in wishes:
        change = {"desired": desired, "version": shadow["version"]}
        status, shadow = await api.ask("PUT", f"{PATH}/shadow", change)
        assert status == 200 and shadow["desired"] in (desired, {"other": {}}, {}), shadow
    status, named = await api.ask("PUT", f"{PATH}/shadow?name=new", {"desired": {"x": 1}, "version": None})
    assert status == 200 and named["desired"] == {"x": 1}


async def have_it_work(api: Api, events: Events) -> None:
    status, made = await api.ask("POST", f"{PATH}/jobs", {"document": {"action": "blink", "times": 2}})
    assert status == 200
    jobs = await events.until(lambda data: ended(data, "jobs", "job", made["job"]))
    assert jobs["status"] == "SUCCEEDED" and jobs["details"]["times"] == "2"
    assert jobs["document"] == {"action": "blink", "times": 2} and jobs["queued"] <= jobs["updated"]
    status, made = await api.ask("POST", f"{PATH}/commands", {"name": "led", "payload": {"on": True}})
    assert status == 200
    command = await events.until(lambda data: ended(data, "commands", "execution", made["execution"]))
    assert command["status"] == "SUCCEEDED" and command["command"].startswith("led-")
    assert await api.get("api/releases") == [{"release": "r", "version": "2.0", "kind": "app"}]
    assert (await api.ask("POST", f"{PATH}/update", {"release": "r"}))[1]["job"] == f"update of {NAME} to r"


def ended(data: dict[str, Any], key: str, member: str, identifier: str) -> dict[str, Any] | None:
    for one in data.get(key, {}).get(NAME, []):
        if one[member] == identifier and one["status"] not in ("QUEUED", "IN_PROGRESS", "CREATED"):
            found: dict[str, Any] = one
            return found
    return None


async def move_the_world(scene: Scene, events: Events) -> None:
    api = scene.api
    right = {"set": {"temperature": 30, "adc.34": 1.5}}
    assert await api.ask("POST", f"api/world/{NAME}", right) == (200, {})
    world = await api.get("api/world")
    assert world["devices"][NAME]["sensors"] == {"temperature": 30, "adc.34": 1.5}
    assert world["devices"][NAME]["pins"]["2"] == 1 and world["devices"][NAME]["powered"] is True
    wrong = {"set": {"adc.35": 1, "adc.34": 99}}
    status, told = await api.ask("POST", f"api/world/{NAME}", wrong)
    assert status == 400 and "adc.34" in told["error"]["text"]
    assert (await api.get("api/world"))["devices"][NAME]["sensors"] == {"temperature": 30, "adc.34": 1.5}
    assert (await api.ask("POST", "api/world", {"wifi": False, "ntp": "silent"}))[1]["ntp"] == "silent"
    gone = await events.until(summary(connected=False))
    assert gone["why"] and gone["since"] > 1.6e12
    status, made = await api.ask("POST", f"{PATH}/jobs", {"document": {"action": "blink"}})
    assert (await api.ask("DELETE", f"{PATH}/jobs/{made['job']}", {}))[0] == 200
    assert (await events.until(lambda data: ended(data, "jobs", "job", made["job"])))["status"] == "CANCELED"
    assert (await api.ask("DELETE", f"{PATH}/jobs/{made['job']}", {}))[0] == 409
    assert (await api.ask("POST", f"api/world/{NAME}", {"power": "cut"}))[0] == 200
    await events.until(summary(mode="OFF"))
    assert not scene.device.powered
    await api.ask("POST", "api/world", {"wifi": True, "ntp": "right"})
    assert (await api.ask("POST", f"api/world/{NAME}", {"power": "on"}))[0] == 200
    await events.until(summary(mode="NORMAL", connected=True))
    assert (await api.ask("POST", f"api/world/{NAME}", {"power": "cut-at-write"}))[0] == 200
    assert (await ask(scene.device, "mode")) == "ok NORMAL"


WRONG: list[tuple[str, str, Any, int]] = [
    ("GET", "api/devices/nobody", None, 404),
    ("GET", "api/nothing", None, 404),
    ("GET", "nothing.js", None, 404),
    ("GET", "server.py", None, 404),
    ("GET", "..%2fserver.py", None, 404),
    ("GET", "plot/..%2f__init__.py", None, 404),
    ("GET", f"{PATH}/series?fields=a&points=1", None, 400),
    ("GET", f"{PATH}/series?fields=a&points=x", None, 400),
    ("GET", f"{PATH}/series?from=nan", None, 400),
    ("GET", f"{PATH}/log?count=100000", None, 400),
    ("GET", f"{PATH}/series?fields={','.join('abcdefghijklmnopqrstuvw')}", None, 400),
    ("PUT", f"{PATH}/shadow", {"desired": [], "version": 1}, 400),
    ("PUT", f"{PATH}/shadow", {"desired": {}, "version": True}, 400),
    ("PUT", f"{PATH}/shadow?name=a/b", {"desired": {}, "version": None}, 400),
    ("POST", f"{PATH}/jobs", [], 400),
    ("POST", f"{PATH}/jobs", {"document": "blink"}, 400),
    ("POST", f"{PATH}/commands", {"name": "", "payload": {}}, 400),
    ("POST", f"{PATH}/commands", {"name": "led", "payload": []}, 400),
    ("DELETE", f"{PATH}/jobs/none", {}, 404),
    ("POST", f"{PATH}/update", {"release": 1}, 400),
    ("POST", "api/world", {}, 400),
    ("POST", "api/world", {"wifi": 1}, 400),
    ("POST", "api/world", {"wifi": False, "ntp": "late"}, 400),
    ("POST", "api/world/nobody", {"power": "cut"}, 404),
    ("POST", f"api/world/{NAME}", {"power": "cut", "phone": "connect"}, 400),
    ("POST", f"api/world/{NAME}", {"set": {}}, 400),
    ("POST", "api/fleet", {}, 405),
]


async def test_what_makes_no_sense_is_told_and_nothing_is_done(scene: Scene) -> None:
    scene.cloud.registry.create_thing(thingName=NAME)
    for method, path, body, status in WRONG:
        found, told = await scene.api.ask(method, path, body)
        assert found == status, (method, path, body, told)
        assert told["error"]["text"] and told["error"]["remedy"]
    world = await scene.api.get("api/world")
    assert world["wifi"] is True and world["ntp"] == "right" and not scene.device.powered


async def test_a_page_that_only_reads_changes_nothing(tmp_path: Path) -> None:
    """As with AWS, unless it is told --write."""
    async with Cloud(tmp_path / "cloud", files_port=0, rest_port=0) as cloud:
        cloud.registry.create_thing(thingName=NAME)
        made = await page_of(tmp_path / "cloud", 0, writable=False, releases=NoReleases())
        async with made as page, Api(page.url) as api:
            assert (await api.get("api/fleet"))["writable"] is False
            for method, path, body in (
                ("PUT", f"{PATH}/shadow", {"desired": {"x": 1}, "version": None}),
                ("POST", f"{PATH}/jobs", {"document": {"action": "reboot"}}),
                ("DELETE", f"{PATH}/jobs/x", {}),
                ("POST", f"{PATH}/commands", {"name": "led", "payload": {}}),
                ("POST", f"{PATH}/update", {"release": "r"}),
            ):
                status, told = await api.ask(method, path, body)
                assert status == 403 and "--write" in told["error"]["remedy"], (method, path)
            assert (await api.ask("POST", "api/world", {"wifi": False}))[0] == 404
            assert (await api.get(PATH))["jobs"] == []
            assert (await api.get(f"{PATH}/shadow"))["version"] is None
        assert cloud.jobs.list_jobs()["jobs"] == []


async def test_what_the_feed_has_missed_is_asked_for_when_it_is_back(tmp_path: Path) -> None:
    """Its connection ends; who has gone meanwhile is not shown as there for good."""
    async with Cloud(tmp_path / "cloud", files_port=0, rest_port=0) as cloud:
        cloud.registry.create_thing(thingName=NAME)
        async with await page_of(tmp_path / "cloud", 0) as page, Events(f"{page.url}api/stream") as events:
            async with asyncio.timeout(PATIENCE_S):
                while not page._feed.connected or page._lookups._tasks.keys() != {"scan"}:
                    await asyncio.sleep(0.01)
            page._fleet.set(NAME, connected=True)
            await events.until(summary(connected=True))
            cloud.connections.delete_connection(clientId=page._feed._client._client_id.decode())
            await events.until(summary(connected=False))
