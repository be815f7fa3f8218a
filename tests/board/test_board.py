"""A board's whole life, with few restarts of it: each test leaves the board where the next one wants it.

Any test can be run alone: it first gets the board into the state that it needs.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from tests.board.report import UMQTT, drift, most_free
from tests.board.rig import ALL, ANSWER_S, LIFE_S, LIMITS, NO_NTP, Rig, until
from tests.board.runner import names_there
from tests.system.house import STATUS
from tools.cloud import Cloud
from tools.configure import ConfigureError
from tools.subscriber import CLIENT_ID

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACKNOWLEDGED = r" I app: telemetry \d+ acknowledged"
BURST = 500
RATED = 200  # messages for a rate
WRITES = 1000
HANG_MS = 8000
SAMPLES = 4
LOST_BYTES = 2048  # what a flat heap may lose in the time of the soak


# What several tests do.


async def check_console(rig: Rig, mode: str) -> None:
    """Every command answers, in this mode, and whatever is wrong is refused."""
    text = await rig.ask("help")
    for name in ("help", "status", "mode", "wifi", "log", "restart", "factory-reset", "configure"):
        assert name in text
    status = await rig.status()
    assert status["mode"] == mode
    assert set(status) >= STATUS
    assert mode in await rig.ask("mode")
    assert "networks" in json.loads(await rig.ask("wifi"))
    await rig.ask("log debug")
    await rig.ask("log info")
    for line in ("log loudly", "no-such-command", "configure data {}", "status " + 250 * "x"):
        answer = await rig.link.ask(line, ANSWER_S)
        assert not answer.ok, f"{line}: {answer.text}"
    assert (await rig.status())["mode"] == mode


async def remember_memory(rig: Rig, mode: str) -> None:
    """Put into the report what is free in this mode."""
    rig.report["memory"][mode] = most_free([await rig.status() for _ in range(SAMPLES)])


def connections(events: list[Any]) -> int:
    """How often a device connected: the subscriber is no device."""
    return sum(1 for event in events if event.kind == "connected" and event.client_id != CLIENT_ID)


@asynccontextmanager
async def stranger(rig: Rig) -> AsyncIterator[tuple[Cloud, list[Any]]]:
    """A cloud with a CA of its own, whose server is called otherwise; and its events."""
    events: list[Any] = []
    folder = rig.folder / "stranger"
    async with Cloud(
        folder, rig.options.listen, hosts=("localhost",), limits=LIMITS, on_event=events.append
    ) as cloud:
        yield cloud, events


# From the box to telemetry.


async def test_first_boot_leads_to_config(rig: Rig) -> None:
    await rig.unconfigured()
    status = await rig.status()
    assert status["mode"] == "CONFIG" and status["wifi"] is None
    await remember_memory(rig, "CONFIG")


async def test_console_in_config(rig: Rig) -> None:
    await rig.unconfigured()
    await check_console(rig, "CONFIG")
    with pytest.raises(ConfigureError, match=r"wifi"):
        await rig.send_configuration(rig.configuration() | {"wifi": []})


async def test_configured_it_earns_its_certificate(rig: Rig) -> None:
    await rig.unconfigured()
    before = len(rig.link.lines)
    document = rig.configuration()
    await rig.configure(document)
    name = await rig.expect(r'provisioning: this is thing "(.+)"$')
    await rig.expect(r" I cloud: connected")
    rig.thing = name
    registry = rig.cloud.registry
    assert [thing["thingName"] for thing in registry.list_things()["things"]] == [name]
    (principal,) = registry.list_thing_principals(thingName=name)["principals"]
    certificate = registry.describe_certificate(certificateId=principal.rpartition("/")[2])
    assert certificate["certificateDescription"]["status"] == "ACTIVE"
    console = "\n".join(rig.link.lines[before:])
    assert "BEGIN" not in console and document["aws"]["claim_key"].splitlines()[1] not in console


async def test_telemetry_arrives(rig: Rig) -> None:
    status = await rig.online()
    assert status["thing"] == rig.thing and status["dropped"] == 0
    first = len(rig.messages)
    await until(lambda: len(rig.messages) >= first + 3, "three messages")
    topics, counts = {topic for topic, _ in rig.messages[first:]}, rig.telemetry("count")[-3:]
    assert topics == {f"telemetry/{rig.thing}"}
    assert counts == list(range(counts[0], counts[0] + 3))
    await remember_memory(rig, "NORMAL")


async def test_console_in_normal(rig: Rig) -> None:
    await rig.online()
    await check_console(rig, "NORMAL")
    assert (await rig.status())["cloud"], "the console took the connection down"


async def test_ntp_sets_the_clock(rig: Rig) -> None:
    if (await rig.online())["clock"] != "sntp":
        pytest.skip("no NTP server answers the board here")


async def test_cloud_off_and_on(rig: Rig) -> None:
    await rig.online()
    first = len(rig.telemetry("count"))
    await until(lambda: len(rig.telemetry("count")) > first, "a message")
    await rig.stop_cloud()
    await rig.expect(r" W cloud: ")
    async with asyncio.timeout(ANSWER_S):
        while not (await rig.status())["queued"]:
            await asyncio.sleep(1)
    await rig.start_cloud()
    await rig.expect(r" I cloud: connected, session kept: True")
    await until(lambda: len(rig.telemetry("count")) >= first + 4, "messages from behind the gap")
    counts = sorted(set(rig.telemetry("count")[first:]))
    assert counts == list(range(counts[0], counts[-1] + 1)), "messages were lost"


async def test_the_256_bytes_over_a_reset(rig: Rig) -> None:
    await rig.online()
    await until(lambda: rig.telemetry("starts"), "a message")
    before = rig.telemetry("starts")[-1]
    await rig.restart()
    await rig.started()
    await rig.expect(ACKNOWLEDGED)
    await until(lambda: rig.telemetry("starts")[-1] != before, "a message of the new life")
    assert rig.telemetry("starts")[-1] == before + 1


# What only the REPL can tell, and programs of the tests' own.


async def test_ctrl_c_leads_to_the_repl(rig: Rig) -> None:
    await rig.online()
    await rig.link.interrupt()
    await rig.link.send("6 * 7")
    await rig.expect(r"^42$", ANSWER_S)


async def test_the_same_with_umqtt_simple(rig: Rig) -> None:
    await rig.deploy()
    certificate, key = rig.cloud.create_identity(ALL)
    options = rig.options
    wifi = (options.ssid, options.password) if options.password else (options.ssid,)
    pems = ", ".join(repr(pem.encode()) for pem in (rig.cloud.root_ca, certificate, key))
    where = f"{wifi}, {options.host!r}, {rig.cloud.port}, b'telemetry/umqtt'"
    code = f"simple.run({where}, {pems}, {RATED}, {options.ntp!r})"
    await rig.start(f"import simple; {code}", "simple")
    figures = await rig.told("simple: figures")
    rig.report["start"]["umqtt"] = figures["start"]
    rig.report["memory"][UMQTT] = figures["memory"]
    for name, rate in figures["rates"].items():
        rig.report["rates"].setdefault(name, {})["umqtt"] = rate


class Trial:
    """The firmware under observation, in NORMAL mode and connected."""

    def __init__(self, rig: Rig, started: dict[str, Any]) -> None:
        self._rig = rig
        self.started = started

    async def ask(self, what: str, timeout_s: float = LIFE_S) -> Any:
        """Have it do that, and return what came of it."""
        self.command(what)
        return await self._rig.told(f"trial: {what.partition(' ')[0]}", timeout_s)

    def command(self, what: str) -> None:
        self._rig.command(f"cmd/{self._rig.thing}", what)


async def begin_trial(rig: Rig, arguments: str = "") -> Trial:
    if not rig.thing:
        await rig.online()
    await rig.restart_once(f"Trial(names={names_there()}, {arguments}).run()", "trial", "holds")
    return Trial(rig, await rig.told("trial: started"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trial(rig: Rig) -> Trial:
    return await begin_trial(rig)


async def test_from_start_to_the_first_puback(rig: Rig, trial: Trial) -> None:
    rig.report["start"]["ours"] = trial.started["start"]
    rig.report["imports_ms"].update(trial.started["imports_ms"])
    assert trial.started["start"]["puback_ms"] > trial.started["start"]["imported_ms"] > 0


async def test_rates(rig: Rig, trial: Trial) -> None:
    for name, rate in (await trial.ask(f"rates {RATED}")).items():
        assert rate > 0
        rig.report["rates"].setdefault(name, {})["ours"] = rate


async def test_500_messages_none_lost_through_a_broker_restart(rig: Rig, trial: Trial) -> None:
    trial.command(f"burst {BURST}")
    await rig.told("trial: under_way")
    await rig.stop_cloud()
    await rig.expect(r" W cloud: ")
    await rig.start_cloud()
    assert await rig.told("trial: burst") == BURST
    await until(lambda: len(set(rig.telemetry("burst"))) == BURST, "all messages")
    assert sorted(set(rig.telemetry("burst"))) == list(range(BURST))


async def test_wifi_off_and_on(rig: Rig, trial: Trial) -> None:
    trial.command("wifi")
    await rig.expect(r" W wifi: lost")
    await rig.expect(r" I wifi: connected")
    assert await trial.ask("memory"), "no way to the cloud and back"


async def test_how_long_the_loop_is_held(rig: Rig, trial: Trial) -> None:
    held = await trial.ask("held")
    of_tls = {place: ms for place, ms in held.items() if place.startswith("TLS")}
    places = {place: ms for place, ms in held.items() if place not in of_tls}
    assert of_tls and places
    rig.report["held"].update(own_ms=max(places.values()), places_ms=places, tls_ms=of_tls)


async def test_a_restart_waits_for_pending_writes(rig: Rig, trial: Trial) -> None:
    trial.command(f"writes {WRITES}")
    await rig.expect(r" I system: restarting: writes are pending")
    await rig.started()
    first = len(rig.telemetry("starts"))
    await until(lambda: len(rig.telemetry("starts")) > first, "a message", LIFE_S)
    assert rig.telemetry("starts")[-1] == WRITES + 1  # the example application counts on


# The watchdog.


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watchdog(rig: Rig) -> None:
    """Skips where it does not bite, as tried at the REPL."""
    await rig.mode()
    await rig.link.interrupt()
    await rig.link.send('import machine, time; machine.WDT(timeout=2000); time.sleep(5); print("no", "bite")')
    if await rig.expect(r"^(no bite)$|rst:0x|system: mode", ANSWER_S) == "no bite":
        pytest.skip("this board's watchdog does not reset it")
    await rig.mode()


@pytest.mark.usefixtures("watchdog")
async def test_the_repl_outlasts_the_watchdog_of_the_application(rig: Rig) -> None:
    from firmware import settings  # noqa: PLC0415 - device code

    await rig.online()
    await rig.link.interrupt()
    await rig.link.send("kept = 6 * 7")
    await asyncio.sleep(settings.WATCHDOG_MS / 1000 + 10)
    await rig.link.send("kept")
    await rig.expect(r"^42$", ANSWER_S)


@pytest.mark.usefixtures("watchdog")
async def test_a_hung_application_is_reset(rig: Rig) -> None:
    hanging = await begin_trial(rig, f"watchdog_ms={HANG_MS}")
    hanging.command("hang")
    await rig.told("trial: hanging")
    start = time.monotonic()
    await rig.started()
    assert time.monotonic() - start >= HANG_MS / 1000 / 2, "something else reset it"
    assert "watchdog" in str((await rig.status())["reset_cause"]).lower()
    await rig.expect(ACKNOWLEDGED)


# Whom it believes.


async def test_a_wrong_ca_is_refused(rig: Rig) -> None:
    seen = len(rig.events)
    async with stranger(rig) as (cloud, _):
        await rig.configure(rig.configuration(root_ca=cloud.root_ca))
        await rig.expect(r" W \w+: .*not correctly signed by the trusted CA")
    assert not connections(rig.events[seen:])


async def test_a_wrong_name_is_refused(rig: Rig) -> None:
    async with stranger(rig) as (cloud, events):
        await rig.configure(rig.configuration(root_ca=cloud.root_ca, port=cloud.port))
        await rig.expect(r" W \w+: .*does not match with the expected CN")
    assert not connections(events)


async def test_without_ntp_an_estimate_has_to_do(rig: Rig) -> None:
    if not rig.thing:  # it may have a certificate of another cloud
        await rig.unconfigured()
    await rig.configure(rig.configuration() | {"time": {"ntp": [NO_NTP]}})
    await rig.expect(r" I clock: set by estimate")
    await rig.expect(r" I cloud: connected")
    status = await rig.status()
    rig.thing = status["thing"]
    assert status["clock"] == "estimate"


# The end, and what is left of it.


@pytest.mark.soak
async def test_telemetry_for_half_an_hour_on_a_flat_heap(rig: Rig) -> None:
    await rig.online()
    seen, first = len(rig.events), len(rig.telemetry("count"))
    end = time.monotonic() + rig.options.soak_minutes * 60
    samples = []
    while time.monotonic() < end:
        samples.append(await rig.status())
        assert samples[-1]["cloud"]
        await asyncio.sleep(5)
    counts = sorted(set(rig.telemetry("count")[first:]))  # with QoS 1 a message may come twice
    assert counts == list(range(counts[0], counts[0] + len(counts)))
    assert not connections(rig.events[seen:]), "it had to connect again"
    assert samples[-1]["dropped"] == samples[0]["dropped"]
    changes = {name: drift([sample[name] for sample in samples]) for name in ("heap_free", "idf_largest")}
    rig.report["soak"].update(minutes=rig.options.soak_minutes, messages=len(counts), drift_bytes=changes)
    assert all(change >= -LOST_BYTES for change in changes.values()), changes


async def test_factory_reset(rig: Rig) -> None:
    await rig.online()
    await rig.ask("factory-reset --yes")
    await rig.expect(r" I system: mode CONFIG$")
    rig.thing = None
    async with rig.repl() as repl:
        left = await asyncio.to_thread(repl.exec, "import os; print(os.listdir('certs'))", ANSWER_S)
    assert left.strip() == "[]"


async def test_console_in_idle(rig: Rig) -> None:
    """A product's own configuration that is not valid is as a part that cannot be initialised."""
    await rig.unconfigured()
    product = "from firmware import settings; settings.CONFIG = {'wifi': []}"
    await rig.start(f"{product}; from iot.system import System; System(settings).run(None)")
    await rig.expect(r" I system: mode IDLE$")
    await check_console(rig, "IDLE")
    await remember_memory(rig, "IDLE")
    await rig.ask("restart")
    assert await rig.started() == "CONFIG"
