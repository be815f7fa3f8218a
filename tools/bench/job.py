"""How long a simulated device takes from a job to its SUCCEEDED, as the cloud sees it."""

import statistics

from tools.bench.simulated import Scene, scene, seconds_until

_APP = """
    async def main(thing):
        thing.jobs.on("nothing", lambda job: None)
"""


async def measure(runs: int, micropython: str | None = None) -> dict[str, float]:
    """`succeeded_s`: the median; `longest_s`: of so many jobs, each made once the last was done."""
    async with scene(_APP, micropython) as there:
        await _succeeded(there, "first")
        found = [await _succeeded(there, f"job-{number}") for number in range(runs)]
    return {"succeeded_s": statistics.median(found), "longest_s": max(found)}


async def _succeeded(there: Scene, job_id: str) -> float:
    jobs = there.cloud.jobs
    target = there.cloud.registry.arn(f"thing/{there.name}")
    jobs.create_job(jobId=job_id, targets=[target], document='{"action": "nothing"}')

    def is_over() -> bool:
        described = jobs.executions.describe_job_execution(jobId=job_id, thingName=there.name)
        return bool(described["execution"]["status"] == "SUCCEEDED")

    return await seconds_until(is_over, "a job's end")
