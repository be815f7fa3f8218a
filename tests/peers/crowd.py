"""Many devices that only speak, before the real page and its server; and what that costs a browser.

By hand: python3 -m tests.peers.crowd --minutes 10
"""

import argparse
import asyncio
import contextlib
import json
import math
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Page, expect

from tests.peers import chromium
from tools.cloud import Cloud
from tools.dashboard.feed import Feed, OnMessage
from tools.dashboard.server import Dashboard
from tools.thing.account import Account

WIDE = {"width": 1280, "height": 900}
_TICK_S = 0.05
_MB = 1_000_000
# Counts what is drawn and what takes long, from before the page's first line on.
_COUNT = """
globalThis.frames_ = 0;
globalThis.long_ = [];
const ask = requestAnimationFrame.bind(globalThis);
globalThis.requestAnimationFrame = (work) => ask((now) => { globalThis.frames_++; work(now); });
new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => long_.push(duration)))
  .observe({ type: "longtask" });
"""


class Voices(Feed):
    """A feed without a broker: what is said here is heard there."""

    def __init__(self, on_message: OnMessage) -> None:
        self.connected, self.dropped = True, 0
        self.on_state = lambda: None
        self.hear = on_message

    async def __aenter__(self) -> "Voices":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class Crowd:
    """The page of so many devices, all of which are connected.

    Attributes:
        names: theirs.
        url: the page's.
        voices: says what devices do.
    """

    def __init__(self, names: list[str], dashboard: Dashboard, voices: Voices) -> None:
        self.names = names
        self.url = dashboard.url
        self.voices = voices

    def say(self, topic: str, **document: Any) -> None:
        self.voices.hear(topic, json.dumps(document).encode())

    def arrive(self) -> None:
        for name in self.names:
            now = int(time.time() * 1000)
            self.say(f"$aws/events/presence/connected/{name}", timestamp=now, versionNumber=1)

    def telemetry(self, name: str, count: int) -> None:
        celsius = round(50 + 5 * math.sin(count / 20), 2)
        heap = 34_000 + 97 * count % 2000
        self.say(f"telemetry/{name}", count=count, temperature=celsius, heap=heap, rssi=-50 - count % 30)

    async def talk(self) -> None:
        """One message a second of each, evenly, until it is cancelled."""
        each = max(1, round(len(self.names) * _TICK_S))
        start, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - start) / _TICK_S) * each
            for number in range(sent, due):
                self.telemetry(self.names[number % len(self.names)], number // len(self.names))
            sent = due
            await asyncio.sleep(_TICK_S)


@contextlib.asynccontextmanager
async def crowd(folder: Path, names: list[str], port: int = 0, writable: bool = True) -> AsyncIterator[Crowd]:
    """Things of a local cloud, and the page beside it."""
    heard: list[Voices] = []

    def feed(on_message: OnMessage) -> Feed:
        heard.append(Voices(on_message))
        return heard[-1]

    async with Cloud(folder / "cloud", rest_port=0) as cloud:
        for name in names:
            cloud.registry.create_thing(thingName=name)
        account = await asyncio.to_thread(Account.local, folder / "cloud")
        async with Dashboard(account, feed, folder, "local", port=port, writable=writable) as dashboard:
            made = Crowd(names, dashboard, heard[0])
            made.arrive()
            yield made


def some(count: int) -> list[str]:
    return [f"esp32-240ac400{number:04x}" for number in range(1, count + 1)]


@dataclass
class Figures:
    """What a page took over a time.

    Attributes:
        frames: how often it drew.
        longest_cpu_ms, usual_cpu_ms: of its tasks; the usual one of the longest, as many as it drew.
        long_tasks: those of 50 ms and more by the clock, others' work on the machine included.
        heap_mb, nodes: at each look, after a collection of garbage.
    """

    seconds: float
    frames: int
    longest_cpu_ms: float
    usual_cpu_ms: float
    long_tasks: list[float]
    heap_mb: list[float]
    nodes: list[int]

    def __str__(self) -> str:
        over = f"{len(self.long_tasks)} over 50 ms"
        heap = " ".join(f"{mb:.2f}" for mb in self.heap_mb)
        return (
            f"{self.seconds:.0f} s: {self.frames / self.seconds:.2f} draws a second; longest task "
            f"{self.longest_cpu_ms:.0f} ms of CPU, usually {self.usual_cpu_ms:.0f}; by the clock {over}; "
            f"heap {heap} MB; nodes {self.nodes}"
        )


async def watched(browser: Browser, url: str, **options: Any) -> chromium.Visit:
    """The page, counted from its beginning."""
    visit = await chromium.Visit.start(browser, **{"viewport": WIDE, **options})
    await visit.page.add_init_script(_COUNT)
    await visit.page.goto(url)
    return visit


async def measure(browser: Browser, page: Page, seconds: float, looks: int = 2) -> Figures:
    """What the page takes in so many seconds, of which each task is timed by the CPU's clock, too."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    before = await page.evaluate("[frames_, long_.splice(0).length][0]")
    start = time.monotonic()
    heap, nodes, tasks_ms = [], [], []
    for _ in range(looks):
        await browser.start_tracing(page=page, categories=["toplevel"])
        await asyncio.sleep(seconds / looks)
        tasks_ms += _tasks(await browser.stop_tracing())
        one = await _memory(session)
        heap.append(one["JSHeapUsedSize"] / _MB)
        nodes.append(int(one["Nodes"]))
    seconds = time.monotonic() - start
    frames, late = await page.evaluate("[frames_, long_]")
    drawn = sorted(tasks_ms)[-max(1, frames - before) :]
    return Figures(seconds, frames - before, drawn[-1], drawn[len(drawn) // 2], late, heap, nodes)


def _tasks(trace: bytes) -> list[float]:
    """What the tasks of the browser's renderers took, in ms of CPU."""
    events = json.loads(trace)["traceEvents"]
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    times = [event.get("tdur", 0) / 1000 for event in events if (event["pid"], event["tid"]) in mains]
    assert any(times), "the trace has no task"
    return times


async def _memory(session: CDPSession) -> dict[str, float]:
    """After a collection of all garbage."""
    await session.send("HeapProfiler.collectGarbage")
    found = await session.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in found["metrics"]}


async def _by_hand(count: int, minutes: float) -> None:
    names = some(count)
    with tempfile.TemporaryDirectory() as folder:
        async with crowd(Path(folder), names) as site, chromium.running() as browser:
            talking = asyncio.create_task(site.talk())
            for what, url in (("fleet", site.url), ("device", f"{site.url}#/device/{names[0]}")):
                visit = await watched(browser, url)
                await expect(visit.page.locator("#link-text")).to_have_text("live")
                await asyncio.sleep(10)
                looks = max(2, round(minutes * 2))
                print(what, await measure(browser, visit.page, 60 * minutes / 2, looks), flush=True)
                await visit.context.close()
            talking.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=1.0, help="half for the fleet, half for a device")
    args = parser.parse_args()
    asyncio.run(_by_hand(args.devices, args.minutes))
