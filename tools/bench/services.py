"""What shadow, jobs, commands and reports that are on cost a simulated device's own messages."""

import statistics

from tools.bench.simulated import START_S, Scene, scene

_REPORTS = {"crash": True, "log": "warning", "metrics_s": 300, "package": "bench"}
# By public calls alone, as an application has them. The last message is of QoS 1: what was sent before it has
# arrived, or has been acknowledged, when it is.
_APP = """
    import asyncio
    import time

    from firmware import settings

    READING = b'{"temperature": 21.5, "humidity": 48.0, "uptime": 123456, "rssi": -61}'

    async def send(thing, qos):
        while not (receipt := thing.publish("telemetry/" + thing.name, READING, qos=qos)):
            await asyncio.sleep_ms(0)
        return receipt

    async def main(thing):
        if settings.SERVICES:
            for name in ("one", "other"):
                thing.shadow.on(name, lambda value: value)
                thing.jobs.on(name, lambda job: None)
            thing.commands.on("beep", lambda payload: None)
        orders = thing.inbox()
        await (await send(thing, 1))
        await asyncio.sleep(1)  # until the services have said what they say first
        thing.log.info("bench", "ready")
        async for _, qos in orders:
            start_us = time.ticks_us()
            for _ in range(settings.MESSAGES):
                await send(thing, int(qos))
            await (await send(thing, 1))
            thing.log.info("bench", "took {} us", time.ticks_diff(time.ticks_us(), start_us))
"""


async def measure(messages: int, rounds: int, micropython: str | None = None) -> dict[str, float]:
    """Messages a second by QoS with services `on` and `off`, and the ratio, medians of so many rounds.

    Two devices that differ in nothing else take turns, one a moment after the other: what else the machine
    does meets both.
    """
    settings: list[dict[str, object]] = [
        {"MESSAGES": messages, "SERVICES": True, "REPORTS": _REPORTS},
        {"MESSAGES": messages, "SERVICES": False},
    ]
    figures: dict[str, float] = {}
    async with scene(_APP, micropython, settings) as there:
        for device in there.devices:
            await device.expect("bench: ready", START_S)
        for qos in (0, 1):
            took = [await _took_s(there, qos, first=turn % 2) for turn in range(rounds)]
            on, off = (statistics.median(column) for column in zip(*took, strict=True))
            ratio = statistics.median(without / beside for beside, without in took)
            sent = messages + 1
            figures |= {f"qos_{qos}_on": sent / on, f"qos_{qos}_off": sent / off, f"qos_{qos}_ratio": ratio}
    return figures


async def _took_s(there: Scene, qos: int, first: int) -> tuple[float, float]:
    """How long all messages took with services, and without; first: which of the two begins."""
    took = {}
    for number in (first, 1 - first):
        device, name = there.devices[number], there.names[number]
        await there.cloud.send_direct_message(name, f"cmd/{name}", str(qos).encode())
        took[number] = int((await device.expect(r"bench: took (\d+) us", START_S))[1]) / 1e6
    return took[0], took[1]
