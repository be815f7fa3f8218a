"""How long a simulated device takes from a desired value to its report, as the cloud sees it."""

import json
import statistics

from tools.bench.simulated import Scene, scene, seconds_until

_APP = """
    async def main(thing):
        thing.shadow.on("led", lambda value: None)
"""


async def measure(runs: int, micropython: str | None = None) -> dict[str, float]:
    """`report_s`: the median; `longest_s`: of so many values, each desired once the last was reported."""
    async with scene(_APP, micropython) as there:
        await _report(there, 0)
        found = [await _report(there, value) for value in range(1, runs + 1)]
    return {"report_s": statistics.median(found), "longest_s": max(found)}


async def _report(there: Scene, value: int) -> float:
    shadows = there.cloud.shadows
    payload = json.dumps({"state": {"desired": {"led": value}}}).encode()
    shadows.update_thing_shadow(thingName=there.name, payload=payload)

    def reported() -> bool:
        answer = shadows.get_thing_shadow(thingName=there.name)
        state = json.loads(answer["payload"])["state"]
        return bool(state.get("reported") == {"led": value})

    return await seconds_until(reported, "a report")
