"""Memory that holds: `make test-board … ONLY=memory`, an hour on a chip. With either chain of certificates.

Amazon's servers show the longer chain, of RSA: it takes some 8 KB more of ESP-IDF's heap.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.board.report import CHAINS, KB, least
from tests.board.rig import LIFE_S, Rig, until
from tests.board.runner import CHIP
from tools.board.errors import BoardError
from tools.board.files import compile_for_chip
from tools.cloud.ca import ServerChain

pytestmark = [pytest.mark.memory, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(4 * 3600)]

ACKNOWLEDGED = r" I app: telemetry \d+ acknowledged"  # the first may come late where TLS is slow
LARGE = 2900  # bytes of a message, in bursts of ten
BURSTS = 5
CLAIMS = 10
UPLOADS = 5
UPLOAD_BYTES = 200_000
SPELL_S = 6.0  # in which a start reaches telemetry on a chip
HELD = 20  # KB that an application may hold by docs/memory.md, most of it in small pieces (chip/appetite.py)
TOO_MUCH = 80
SEEN = r"^\s*\d+\.\d+ E memory: |no memory for TLS"


@pytest_asyncio.fixture(params=CHAINS, scope="module", loop_scope="session")
async def chain(rig: Rig, request: pytest.FixtureRequest) -> ServerChain:
    """The device is online in a cloud that shows this chain."""
    name: ServerChain = request.param
    await rig.use_chain(name)
    await rig.online()
    return name


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def appetite(rig: Rig, chain: ServerChain) -> AsyncIterator[None]:
    """The application is tests/board/chip/appetite.py: a single file on the board wins over the pack."""
    code = compile_for_chip((CHIP / "appetite.py").read_bytes(), "firmware/app.py")
    async with rig.repl() as repl:
        await asyncio.to_thread(repl.exec, "import os\nos.mkdir('/firmware')")
        await asyncio.to_thread(repl.write_file, "/firmware/app.mpy", code)
    await rig.reset()
    await until(lambda: rig.telemetry("kept"), "a message of the other application", LIFE_S)
    yield
    async with rig.repl() as repl:
        await asyncio.to_thread(repl.exec, "import os\nos.remove('/firmware/app.mpy')\nos.rmdir('/firmware')")
    await rig.reset()


def troubles(rig: Rig, since: int) -> list[str]:
    """What the board said of want of memory."""
    return [line for line in rig.link.lines[since:] if re.search(SEEN, line)]


def note(rig: Rig, chain: ServerChain, samples: list[dict[str, Any]], settled: bool = False) -> None:
    """The least that was ever seen in this chain's part of the report, and the growth.

    What is free of the heap is judged once all has settled: just after a connection services are loaded.
    """
    figures = rig.report[chain]
    for name, value in least(samples).items():
        key = name if settled or not name.startswith("heap_") else f"early_{name}"
        figures[key] = min(value, figures.get(key, value))
    totals = {sample["heap_total"] for sample in samples}
    figures["grown"] = max(figures.get("grown", 0), max(totals) - min(totals))


async def test_cold_starts_reach_telemetry_whatever_is_asked_meanwhile(rig: Rig, chain: ServerChain) -> None:
    samples, failed = [], []
    for number in range(rig.options.starts):
        await rig.restart()
        await rig.expect(r" I system: mode NORMAL$")
        seen = len(rig.link.lines)
        await asyncio.sleep(random.uniform(0, SPELL_S))
        try:
            await rig.status()
            async with asyncio.timeout(LIFE_S):
                while not any(re.search(ACKNOWLEDGED, line) for line in rig.link.lines[seen:]):
                    await asyncio.sleep(0.1)
            samples.append(await rig.status())
        except Exception as error:
            failed.append(f"start {number}: {error!r}")
        failed += [f"start {number}: {line}" for line in troubles(rig, seen)[:1]]
    rig.report[chain]["starts_failed"] = len(failed)
    note(rig, chain, samples)
    assert not failed, failed


async def test_bursts_of_large_messages(rig: Rig, chain: ServerChain) -> None:
    status = await rig.online()
    seen = len(rig.link.lines)
    for _ in range(BURSTS):
        for number in range(10):
            rig.command(f"cmd/{status['thing']}", f"{number}" + "x" * LARGE)
        await asyncio.sleep(5)
    rig.command(f"cmd/{status['thing']}", '{"led": true}')  # the example keeps the last message it got
    await asyncio.sleep(5)
    samples = [await rig.status() for _ in range(3)]
    note(rig, chain, samples, settled=True)
    assert all(sample["cloud"] for sample in samples) and not troubles(rig, seen)


async def test_claims(rig: Rig, chain: ServerChain) -> None:
    failed = []
    for number in range(CLAIMS):
        try:
            await rig.unconfigured()
            seen = len(rig.link.lines)
            await rig.online()
            failed += [f"claim {number}: {line}" for line in troubles(rig, seen)[:1]]
        except Exception as error:
            failed.append(f"claim {number}: {error!r}")
    rig.report[chain]["claims_failed"] = len(failed)
    assert not failed, failed


async def break_off(rig: Rig, how: str) -> None:
    """Have the connection end in one of the ways that networks know, and come back."""
    if how == "broker":
        await rig.stop_cloud()
        await rig.expect(r" W cloud: ")
        await rig.start_cloud()
    elif how == "Wi-Fi":
        rig.command(f"cmd/{rig.thing}", "wifi")
        await rig.expect(r" W wifi: lost")
    else:
        rig.command(f"cmd/{rig.thing}", "clock 30")
        await rig.told("appetite: clock")
        await break_off(rig, "broker")
        return
    await rig.expect(r" I cloud: connected")


@pytest.mark.usefixtures("appetite")
async def test_reconnects_in_one_life(rig: Rig, chain: ServerChain) -> None:
    samples, failed, seen = [await rig.status()], [], len(rig.link.lines)
    for number in range(rig.options.reconnects):
        how = ("broker", "Wi-Fi", "clock")[number % 3]
        try:
            await break_off(rig, how)
            if number % 10 == 9:
                samples.append(await rig.status())
        except Exception as error:
            failed.append(f"{how}, the {number}.: {error!r}")
    failed += troubles(rig, seen)
    if samples[-1]["uptime_s"] < samples[0]["uptime_s"]:
        failed.append("it has restarted")
    rig.report[chain]["reconnects_failed"] = len(failed)
    note(rig, chain, samples)
    assert not failed, failed


@pytest.mark.usefixtures("appetite")
async def test_an_upload_for_which_mqtt_steps_aside(rig: Rig, chain: ServerChain) -> None:
    """There and back, several times in one life: what the one TLS connection had, the other one gets."""
    samples, seen = [await rig.status()], len(rig.link.lines)
    store = rig.cloud.s3
    store.objects.create_bucket("board")
    for number in range(UPLOADS):
        url = store.url(rig.options.host, f"/board/{number}", 600, "PUT")
        rig.command(f"cmd/{rig.thing}", f"upload {UPLOAD_BYTES} {url}")
        await rig.told("appetite: upload")
        await rig.expect(r" I cloud: connected")
        assert [size for _, size, _ in store.objects.listed("board", str(number))] == [UPLOAD_BYTES]
        samples.append(await rig.status())
    note(rig, chain, samples)
    assert samples[-1]["uptime_s"] > samples[0]["uptime_s"] and not troubles(rig, seen)


@pytest.mark.usefixtures("appetite")
async def test_an_application_that_holds_what_it_may(rig: Rig, chain: ServerChain) -> None:
    before = await rig.status()
    seen = len(rig.link.lines)
    rig.command(f"cmd/{rig.thing}", f"hold {HELD}")
    assert await rig.told("appetite: hold") == HELD
    samples = []
    for how in ("broker", "Wi-Fi") * 5:
        samples.append(await rig.status())
        await break_off(rig, how)
    assert not troubles(rig, seen)
    await until(lambda: rig.telemetry("kept")[-1] == HELD, "a message of what it holds", LIFE_S)
    assert {sample["heap_total"] for sample in samples} == {before["heap_total"]}
    rig.report[chain]["application_bytes"] = HELD * KB


@pytest.mark.usefixtures("appetite")
async def test_an_application_that_takes_more_gets_its_own_memory_error(rig: Rig, chain: ServerChain) -> None:
    # Behind a connection ESP-IDF's heap moves while it is read, and MicroPython's seems to be larger.
    total = min([(await rig.status())["heap_total"] for _ in range(5)])
    rig.command(f"cmd/{rig.thing}", f"hold {TOO_MUCH}")
    await rig.expect(r" E application: failed, will start again: MemoryError")
    first = len(rig.messages)
    await until(lambda: len(rig.messages) > first, "a message of the next run", 120)
    async with asyncio.timeout(LIFE_S):
        while True:  # a heap that has grown is seen a second later; then the chip may restart
            await asyncio.sleep(5)
            try:
                status = await rig.status()
            except BoardError:  # what is typed is lost in a restart
                status = await rig.online()
            if status["cloud"] and status["heap_total"] == total:
                break
