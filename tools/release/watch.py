"""`release watch`: follows a job to its end, device by device."""

import argparse
import contextlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from tools.board.errors import BoardError, wrong_arguments
from tools.board.progress import bar
from tools.numbers import positive
from tools.thing.account import Account
from tools.thing.arguments import add_cloud
from tools.thing.failures import explained, is_missing
from tools.thing.jobs import ENDED, INTERRUPTED, percent_of, style, told
from tools.thing.output import Output, note

HELP = "follow a job to its end: how far its devices are, what became of each, and why"
EXAMPLES = """examples:
  python3 -m tools release watch update-1-4-0-261128-170501-3f9a
  python3 -m tools release watch update-1-4-0-261128-170501-3f9a --wait 600 --json
  python3 -m tools release watch update-1-4-0-261128-170501-3f9a --aws --region eu-central-1

Ctrl-C leaves the job, which goes on: watch it again at any time. It has worked where all of its devices have
succeeded.
"""
_PAGE = 100
_ASKED_A_TURN = 20  # details of that many devices, so that a large fleet does not have AWS throttle
_NAMED = 5
_URL = re.compile(r"(https?://)\S+")  # that may be what opens a file


@dataclass
class _One:
    """A device's latest execution, and what was told of it."""

    number: int = 0
    status: str = ""
    updated: Any = None
    details: dict[str, str] = field(default_factory=dict)
    told: tuple[Any, ...] = ()

    @property
    def percent(self) -> int:
        return 100 if self.status in ENDED else percent_of(self.details) or 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("job", metavar="JOB", help="its id, as publish tells it")
    parser.add_argument(
        "--wait", metavar="S", type=positive, help="watch at most so long; default: to its end"
    )
    add_cloud(parser)


def run(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    if (args.profile or args.region) and not args.aws:
        return wrong_arguments("release watch", "--profile and --region go with --aws", args.json)
    account, out = Account.chosen(args), Output(args.json)
    devices: dict[str, _One] = {}
    try:
        with explained(account.where):
            job = _watch(account, out, args, devices)
    except KeyboardInterrupt:
        note(f"job {args.job} goes on: {_summary(devices)}")
        return INTERRUPTED
    failed = {name: one for name, one in devices.items() if one.status != "SUCCEEDED"}
    if failed or not devices or job["status"] != "COMPLETED":
        raise BoardError(
            f"job {args.job}: {_end(job)}; {_summary(devices)}{_reasons(failed)}",
            "What one says: python3 -m tools thing NAME logs",
        )
    value = {"jobId": args.job, "status": job["status"], "things": sorted(devices)}
    out.result(value, [("job", args.job, (job["status"], "green")), ("devices", _summary(devices))])
    return 0


def _watch(
    account: Account, out: Output, args: argparse.Namespace, devices: dict[str, _One]
) -> dict[str, Any]:
    """Tell each change until all is over; returns what DescribeJob says then."""
    with bar() as progress:
        for _ in account.turns(args.wait):
            job = _job(account, args.job)  # before its executions: none is missed where it has ended
            asked = 0
            for name, summary in _executions(account, args.job):
                one = devices.setdefault(name, _One())
                if not _is_news(one, summary):
                    continue
                status, number = summary["status"], summary.get("executionNumber", 1)
                details = {}
                if status not in ("QUEUED", "SUCCEEDED"):
                    if asked == _ASKED_A_TURN:
                        continue  # in the next turn
                    asked += 1
                    details = _details(account, args.job, name, number)
                one.details = details
                one.number, one.status, one.updated = number, status, summary.get("lastUpdatedAt")
                _tell(out, name, one)
            progress(args.job, sum(one.percent for one in devices.values()), 100 * len(devices))
            unfinished = any(one.status not in ENDED for one in devices.values())
            if job["status"] in ("COMPLETED", "CANCELED", "DELETION_IN_PROGRESS") and not unfinished:
                return job
    raise BoardError(
        f"job {args.job}: not over after {args.wait:g} s; {_summary(devices)}", "It goes on: watch it again."
    )


def _is_news(one: _One, summary: dict[str, Any]) -> bool:
    number = summary.get("executionNumber", 1)
    if number < one.number:
        return False  # a retry came after it
    return (number, summary["status"], summary.get("lastUpdatedAt")) != (one.number, one.status, one.updated)


def _tell(out: Output, name: str, one: _One) -> None:
    shown = one.number, one.status, dict(one.details)
    if shown == one.told:
        return
    one.told = shown
    value = {"thing": name, "status": one.status, "executionNumber": one.number, "details": one.details}
    out.change(value, name, (one.status, style(one.status)), told(one.details))


def _job(account: Account, job_id: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = account.iot.describe_job(jobId=job_id)["job"]
    except ClientError as error:
        if not is_missing(error):
            raise
        raise BoardError(f"{account.where}: no job {job_id!r}", "publish tells a job's id.") from None
    return found


def _executions(account: Account, job_id: str) -> list[tuple[str, dict[str, Any]]]:
    """(thing, summary) of each execution, retries behind what they repeat."""
    pages = account.iot.get_paginator("list_job_executions_for_job").paginate(
        jobId=job_id, PaginationConfig={"PageSize": _PAGE}
    )
    found = [
        (str(it["thingArn"]).partition(":thing/")[2], it["jobExecutionSummary"])
        for page in pages
        for it in page["executionSummaries"]
    ]
    return sorted(found, key=lambda it: (it[0], it[1].get("executionNumber", 1)))


def _details(account: Account, job_id: str, thing: str, number: int) -> dict[str, str]:
    """What the device has said, without URLs."""
    with contextlib.suppress(account.iot.exceptions.ResourceNotFoundException):  # deleted meanwhile
        answer = account.iot.describe_job_execution(jobId=job_id, thingName=thing, executionNumber=number)
        details = answer["execution"].get("statusDetails", {}).get("detailsMap", {})
        return {key: _URL.sub(r"\1…", value) for key, value in details.items()}
    return {}


def _summary(devices: dict[str, _One]) -> str:
    counts = Counter(one.status for one in devices.values())
    return ", ".join(f"{counts[status]} {status}" for status in sorted(counts)) or "no device was told of it"


def _reasons(failed: dict[str, _One]) -> str:
    """Of the first ones, in a line each."""
    lines = [f"\n  {name}: {one.status} {told(one.details)}".rstrip() for name, one in failed.items()]
    more = [f"\n  and {len(lines) - _NAMED} more"] if len(lines) > _NAMED else []
    return "".join(lines[:_NAMED] + more)


def _end(job: dict[str, Any]) -> str:
    why = [str(job[name]) for name in ("reasonCode", "comment") if job.get(name)]
    return str(job["status"]) + (f" ({', '.join(why)})" if why else "")
