"""What shadow, jobs, commands and reports that are on cost a simulated device's own messages."""

import statistics

from tools.bench.simulated import START_S, Scene, scene, settle

_REPORTS = {"crash": True, "log": "warning", "metrics_s": 300, "package": "bench"}
# By public calls alone, as an application has them. A message of QoS 1 is behind those of QoS 0, and an
# acknowledgement of the last is behind the others.
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
        await (await send(thing, 1))
        await asyncio.sleep(1)  # until the services have said what they say first
        for qos in (0, 1):
            start_ms = time.ticks_ms()
            for _ in range(settings.MESSAGES):
                await send(thing, qos)
            await (await send(thing, 1))
            thing.log.info("bench", "QoS {} in {} ms", qos, time.ticks_diff(time.ticks_ms(), start_ms))
"""


async def measure(messages: int, runs: int, micropython: str | None = None) -> dict[str, float]:
    """Messages a second by QoS with services `on` and `off`, medians, and the ratio of the two.

    One device: it starts anew for each run, with services and without in turns.
    """
    found: dict[tuple[int, bool], list[float]] = {(qos, on): [] for qos in (0, 1) for on in (True, False)}
    async with scene(_APP, micropython, MESSAGES=messages, SERVICES=False) as there:
        for _ in range(runs):
            for on in (True, False):
                for qos, rate in enumerate(await _rates(there, messages, on)):
                    found[qos, on].append(rate)
    figures = {}
    for qos in (0, 1):
        on, off = (statistics.median(found[qos, which]) for which in (True, False))
        figures |= {f"qos_{qos}_on": on, f"qos_{qos}_off": off, f"qos_{qos}_ratio": on / off}
    return figures


async def _rates(there: Scene, messages: int, on: bool) -> list[float]:
    """Of QoS 0 and 1."""
    await there.device.power_off()
    settle(there.device, SERVICES=on, REPORTS=_REPORTS if on else {})
    await there.device.power_on()
    took = [await there.device.expect(rf"bench: QoS {qos} in (\d+) ms", 2 * START_S) for qos in (0, 1)]
    return [1000 * (messages + 1) / int(match[1]) for match in took]
