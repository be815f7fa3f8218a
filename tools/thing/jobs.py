"""A thing's jobs: made, watched, shown, canceled."""

import argparse
import contextlib
import json
import re
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tools.board.errors import BoardError
from tools.board.progress import Progress, bar
from tools.stdin import answer

from . import values
from .account import Account
from .failures import code, is_missing
from .output import Cell, Output, members, note, when

ENDED = ("SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED", "REMOVED")
_STYLES = {"SUCCEEDED": "green", "QUEUED": "", "IN_PROGRESS": "cyan"}
_PERCENT = "percent"
_ID_CHARS = 40  # of an action's name in a job's id, which has 64
_MOST_LISTED, _PAGE = 250, 100
INTERRUPTED = 130


def run(account: Account, out: Output, thing: dict[str, Any], args: argparse.Namespace) -> int:
    """Make a job for this thing and watch it to its end; 0 where that is SUCCEEDED."""
    name, document = thing["thingName"], _read(args.document) | args.members
    job_id = new_id(str(document.get("action", "job")))
    timeout = {"timeoutConfig": {"inProgressTimeoutInMinutes": args.timeout_min}} if args.timeout_min else {}
    account.iot.create_job(
        jobId=job_id, targets=[thing["thingArn"]], document=json.dumps(document), **timeout
    )
    if not out.as_json:
        note(f"job {job_id}; Ctrl-C leaves it")
    try:
        return _watch(account, out, name, job_id, args.wait)
    except KeyboardInterrupt:
        return _leave(account, name, job_id)


def list_(account: Account, out: Output, thing: dict[str, Any], args: argparse.Namespace) -> int:
    """The latest, one a line."""
    found = latest(account, thing["thingName"], args.count)
    if out.as_json:
        for it in found:
            out.result(it)
    elif found:
        out.table([("job", "status", "queued", "last updated"), *map(_cells, found)])
    else:
        note("none")
    return 0


def show(account: Account, out: Output, thing: dict[str, Any], args: argparse.Namespace) -> int:
    """One job of this thing, with its document."""
    name = thing["thingName"]
    execution = _existing(account, name, args.id)
    text = account.iot.get_job_document(jobId=args.id).get("document", "null")
    try:
        document = json.loads(text)
    except ValueError:
        document = text
    found = _shown(execution) | {"document": document}
    rows: list[tuple[Cell, ...]] = [("job", args.id), ("status", (found["status"], style(found["status"])))]
    for member in ("queuedAt", "startedAt", "lastUpdatedAt"):
        if member in found:
            rows.append((member, when(found[member])))
    rows += [("number", f"{found['executionNumber']}, version {found['versionNumber']}")]
    rows += [("detail", f"{key}={value}") for key, value in sorted(found["details"].items())]
    rows += [("document", values.text(document))]
    out.result(found, rows)
    return 0


def cancel(account: Account, out: Output, thing: dict[str, Any], args: argparse.Namespace) -> int:
    """Cancel it for this thing alone."""
    name = thing["thingName"]
    _existing(account, name, args.id)
    try:
        account.iot.cancel_job_execution(jobId=args.id, thingName=name, force=args.force)
    except ClientError as error:
        if code(error) != "InvalidStateTransitionException":
            raise
        there = _existing(account, name, args.id)["status"]
        remedy = (
            "That is its end."
            if there in ENDED
            else "The device works on it; --force cancels it all the same."
        )
        raise BoardError(f"job {args.id} is {there} on {name}", remedy) from None
    out.result({"jobId": args.id, "status": "CANCELED"}, [("job", args.id, "CANCELED")])
    return 0


def latest(account: Account, thing: str, count: int) -> list[dict[str, Any]]:
    """The jobs that were queued last for a thing, the newest first."""
    found: list[dict[str, Any]] = []
    pages = account.iot.get_paginator("list_job_executions_for_thing").paginate(
        thingName=thing, PaginationConfig={"MaxItems": _MOST_LISTED, "PageSize": _PAGE}
    )
    for page in pages:
        for it in page["executionSummaries"]:
            found.append({"jobId": it["jobId"]} | it["jobExecutionSummary"])
    return sorted(found, key=lambda it: it["queuedAt"], reverse=True)[:count]


def line(it: dict[str, Any]) -> str:
    """One of `latest` in a line."""
    return f"{it['jobId']}  {it['status']}  {when(it.get('lastUpdatedAt'))}"


def _cells(it: dict[str, Any]) -> tuple[Cell, ...]:
    state = it["status"], style(it["status"])
    return it["jobId"], state, when(it["queuedAt"]), when(it.get("lastUpdatedAt"))


def style(state: str) -> str:
    """How an execution's status is shown."""
    return _STYLES.get(state, "yellow")


def _read(path: Path | None) -> dict[str, Any]:
    """What --document has; ACTION and KEY=JSON go over it."""
    if path is None:
        return {}
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise BoardError(f"{path}: cannot be read: {error.strerror}", "Name a job's document.") from None
    except ValueError as error:
        raise BoardError(f"{path}: not JSON: {error}", "A job's document is a JSON object.") from None
    if not isinstance(document, dict):
        raise BoardError(f"{path}: a {type(document).__name__}", "A job's document is a JSON object.")
    return document


def new_id(action: str) -> str:
    """A job's id, which begins with what is done."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", action)[:_ID_CHARS]
    return f"{plain}-{time.strftime('%y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def _watch(account: Account, out: Output, thing: str, job_id: str, wait_s: float | None) -> int:
    """Tell each change until the end."""
    seen: dict[str, Any] = {}
    with bar() as progress:
        for _ in account.turns(wait_s):
            found = find(account, thing, job_id)
            if found is None:  # AWS rolls out a moment later
                _check_is_coming(account, job_id)
                progress(f"{job_id}: not rolled out", 0, 0)
                continue
            shown = _shown(found)
            _advance(progress, thing, shown)
            if any(shown[key] != seen.get(key) for key in ("status", "details", "executionNumber")):
                state = shown["status"], style(shown["status"])
                out.change(shown | {"thing": thing}, state, told(shown["details"]))
                seen = shown
            if shown["status"] in ENDED:
                break
        else:
            raise BoardError(
                f"job {job_id}: {seen.get('status', 'not rolled out')} after {wait_s:g} s",
                f"It goes on: python3 -m tools thing {thing} job show {job_id}",
            )
    if seen["status"] != "SUCCEEDED":
        raise BoardError(
            f"job {job_id}: {seen['status']} {told(seen['details'])}".rstrip(),
            f"What the device says: python3 -m tools thing {thing} logs",
        )
    if out.as_json:
        out.result(seen)
    return 0


def _check_is_coming(account: Account, job_id: str) -> None:
    job = account.iot.describe_job(jobId=job_id)["job"]
    if job["status"] in ("CANCELED", "COMPLETED", "DELETION_IN_PROGRESS"):
        raise BoardError(f"job {job_id}: {job['status']} before it reached the thing", "Make it again.")


def _advance(progress: Progress, thing: str, shown: dict[str, Any]) -> None:
    """A bar with the percentage while it is in progress, where the device tells one."""
    what = {"QUEUED": f"queued; {thing} has not begun", "IN_PROGRESS": f"{thing} works on it"}
    percent = percent_of(shown["details"]) if shown["status"] == "IN_PROGRESS" else None
    progress(what.get(shown["status"], shown["status"]), percent or 0, 100 if percent is not None else 0)


def percent_of(details: dict[str, str]) -> int | None:
    """What the device gave as `job.progress(percent)`."""
    with contextlib.suppress(ValueError):
        return max(0, min(100, int(float(details[_PERCENT])))) if _PERCENT in details else None
    return None


def told(details: dict[str, str]) -> str:
    """The statusDetails in a line, a percentage first."""
    percent = [f"{details[_PERCENT]} %"] if _PERCENT in details else []
    return "  ".join([*percent, *(f"{k}={v}" for k, v in sorted(details.items()) if k != _PERCENT)])


def _leave(account: Account, thing: str, job_id: str) -> int:
    """After Ctrl-C: the job goes on, unless whoever sits there wants it canceled."""
    cancels = f"python3 -m tools thing {thing} job cancel {job_id} --force"
    if sys.stdin.isatty() and sys.stderr.isatty():
        with contextlib.suppress(KeyboardInterrupt):  # which may come as soon as the question is there
            print(f"\n{job_id} goes on without you. Cancel it? [y/N] ", end="", file=sys.stderr, flush=True)
            if answer().strip().lower() in ("y", "yes"):
                account.iot.cancel_job_execution(jobId=job_id, thingName=thing, force=True)
                note(f"job {job_id}: CANCELED")
                return INTERRUPTED
    note(f"job {job_id} goes on; to cancel it: {cancels}")
    return INTERRUPTED


def find(account: Account, thing: str, job_id: str) -> dict[str, Any] | None:
    """One execution; None where the thing has no such job."""
    try:
        answer = account.iot.describe_job_execution(jobId=job_id, thingName=thing)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    found: dict[str, Any] = answer["execution"]
    return found


def _existing(account: Account, thing: str, job_id: str) -> dict[str, Any]:
    found = find(account, thing, job_id)
    if found is None:
        raise BoardError(
            f"{thing} has no job {job_id!r}", f"Those it has: python3 -m tools thing {thing} job list"
        )
    return found


def _shown(execution: dict[str, Any]) -> dict[str, Any]:
    names = ("jobId", "status", "queuedAt", "startedAt", "lastUpdatedAt", "executionNumber", "versionNumber")
    return members(execution, *names) | {"details": execution.get("statusDetails", {}).get("detailsMap", {})}
