"""What a person does to a device, and what is asked of the cloud for one: plain functions of boto3."""

import datetime as dt
import json
import secrets
from typing import Any

from botocore.exceptions import ClientError

from tools.dashboard.guard import RefusedError
from tools.dashboard.hiding import hidden
from tools.thing import commands, jobs, overview, shadow
from tools.thing.account import Account
from tools.thing.failures import code, is_missing

JOBS_SHOWN = 20
PACKAGE = "$package"
COMMANDS_SHOWN = 20
_COMMAND_S = 10
_KEPT = 1000
METRICS = ("heap_free", "rssi", "crash_free_h")  # what the page shows of those that a device reports
ALL_METRICS = (*METRICS, "idf_largest", "reconnects", "dropped", "loop_held_ms", "connected_percent")
_RECENT = dt.timedelta(minutes=10)


def things(account: Account, most: int) -> list[dict[str, Any]]:
    """The first so many things: DescribeThing's members as far as ListThings has them."""
    found: list[dict[str, Any]] = []
    for page in account.iot.get_paginator("list_things").paginate(PaginationConfig={"MaxItems": most}):
        found += page["things"]
    return found


def connection(account: Account, name: str) -> dict[str, Any]:
    """{"connected", "since", "why"}; connected None where the cloud does not tell."""
    found = overview.connection(account, {"thingName": name})
    at = found.get("connectedSince") or found.get("disconnectedSince")
    return {"connected": found["connected"], "since": milliseconds(at), "why": found.get("disconnectReason")}


def certificates(account: Account, name: str) -> list[dict[str, Any]]:
    """A thing's, with their ends."""
    return [
        {"id": it["certificateId"], "status": it["status"], "end": milliseconds(it["ends"])}
        for it in overview.certificates(account, name)
    ]


def certificate_end(account: Account, certificate_id: str) -> int | None:
    """When a certificate ends."""
    answer = account.iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
    return milliseconds(answer.get("validity", {}).get("notAfter"))


def metrics(account: Account, name: str) -> dict[str, float]:
    """What a thing has reported last of its numbers, as AWS IoT Device Defender keeps them."""
    now = dt.datetime.now(dt.UTC)
    found: dict[str, float] = {}
    for metric in METRICS:
        try:
            kept = account.iot.list_metric_values(
                thingName=name, metricName=metric, startTime=now - _RECENT, endTime=now + _RECENT
            )["metricDatumList"]
        except ClientError as error:
            if not is_missing(error):
                raise
            continue
        if kept:
            newest = max(kept, key=lambda one: one["timestamp"])
            found[metric] = newest["value"]["number"]
    return found


def declare_metrics(account: Account) -> None:
    """Have the cloud keep all numbers of docs/reports.md."""
    for metric in ALL_METRICS:
        try:
            account.iot.create_custom_metric(
                metricName=metric, metricType="number", clientRequestToken=secrets.token_hex(16)
            )
        except ClientError as error:
            if code(error) != "ResourceAlreadyExistsException":
                raise


def shadow_names(account: Account, name: str) -> list[str]:
    """Which shadows a thing has; "" is the classic one."""
    return ["" if one == shadow.CLASSIC else one for one in shadow.names(account, name)]


def package(account: Account, name: str) -> dict[str, Any] | None:
    """The shadow that tells a thing's software, where it has one."""
    named = account.data.list_named_shadows_for_thing(thingName=name)["results"]
    return get_shadow(account, name, PACKAGE) if PACKAGE in named else None


def get_shadow(account: Account, name: str, which: str) -> dict[str, Any]:
    """{"version", "desired", "reported", "delta"}; version None where there is none as yet."""
    document = shadow.find(account, name, which or None)
    state = (document or {}).get("state") or {}
    sections = {section: state.get(section) or {} for section in ("desired", "reported", "delta")}
    return {"version": document["version"] if document else None} | sections


def put_shadow(
    account: Account, name: str, which: str, desired: dict[str, Any], version: int | None
) -> dict[str, Any]:
    """Have this be all that is desired, where the shadow still is of that version; what there is then.

    Raises:
        RefusedError: 409, the shadow is of another version.
    """
    there = get_shadow(account, name, which)
    if version != there["version"]:
        raise RefusedError(409, f"the shadow is of version {there['version']}, not {version}", "Look again.")
    change: dict[str, Any] = {"state": {"desired": _difference(there["desired"], desired)}}
    if version is not None:
        change["version"] = version
    options = {"shadowName": which} if which else {}
    account.data.update_thing_shadow(thingName=name, payload=json.dumps(change).encode(), **options)
    return get_shadow(account, name, which)


def _difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any] | None:
    """What merged into `before` makes `after` of it; null deletes."""
    if before and not after:
        return None
    changed: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = _difference(old, value)
            if inner is None or inner:
                changed[key] = inner
        elif key not in before or value != old or type(value) is not type(old):
            changed[key] = value
    return changed


def has_work(account: Account, name: str) -> bool:
    """Whether a thing has jobs that are not over."""
    return any(it["status"] not in jobs.ENDED for it in jobs.latest(account, name, JOBS_SHOWN))


class JobList:
    """The latest jobs of things; what does not change any more is asked for once."""

    def __init__(self) -> None:
        self._documents: dict[str, Any] = {}
        self._ended: dict[tuple[str, str, str], dict[str, Any]] = {}

    def of(self, account: Account, name: str) -> list[dict[str, Any]]:
        """With their documents and details, the newest first."""
        return [self._job(account, name, it) for it in jobs.latest(account, name, JOBS_SHOWN)]

    def _job(self, account: Account, name: str, summary: dict[str, Any]) -> dict[str, Any]:
        job_id = summary["jobId"]
        key = name, job_id, str(summary.get("lastUpdatedAt"))
        if key in self._ended:
            return self._ended[key]
        found = jobs.find(account, name, job_id) or summary
        details = found.get("statusDetails", {}).get("detailsMap", {})
        shown = {
            "job": job_id,
            "status": found["status"],
            "document": self._document(account, job_id),
            "details": hidden(details),
            "queued": milliseconds(found.get("queuedAt")),
            "started": milliseconds(found.get("startedAt")),
            "updated": milliseconds(found.get("lastUpdatedAt")),
        }
        if shown["status"] in jobs.ENDED:
            _keep(self._ended, key, shown)
        return shown

    def _document(self, account: Account, job_id: str) -> Any:
        if job_id not in self._documents:
            try:
                text = account.iot.get_job_document(jobId=job_id).get("document", "null")
            except ClientError as error:
                if not is_missing(error):
                    raise
                return None
            try:
                document = json.loads(text)
            except ValueError:
                document = text
            _keep(self._documents, job_id, hidden(document))
        return self._documents[job_id]


def _keep(cache: dict[Any, Any], key: Any, value: Any) -> None:
    cache[key] = value
    while len(cache) > _KEPT:
        del cache[next(iter(cache))]


def make_job(account: Account, name: str, document: dict[str, Any]) -> dict[str, Any]:
    """A job for this thing alone."""
    thing = account.thing(name)
    job_id = jobs.new_id(str(document.get("action", "job")))
    account.iot.create_job(jobId=job_id, targets=[thing["thingArn"]], document=json.dumps(document))
    return {"job": job_id}


def cancel_job(account: Account, name: str, job_id: str, force: bool) -> dict[str, Any]:
    """Cancel it for this thing."""
    account.iot.cancel_job_execution(jobId=job_id, thingName=name, force=force)
    return {"job": job_id, "status": "CANCELED"}


def list_commands(account: Account, name: str) -> list[dict[str, Any]]:
    """The latest executions of commands on a thing, the newest first."""
    target = account.thing(name)["thingArn"]
    found = account.iot.list_command_executions(targetArn=target, maxResults=COMMANDS_SHOWN)
    return [
        _execution(account, target, it["executionId"], str(it.get("commandArn", "")))
        for it in found["commandExecutions"]
    ]


def _execution(account: Account, target: str, execution_id: str, arn: str) -> dict[str, Any]:
    found = account.iot.get_command_execution(executionId=execution_id, targetArn=target, includeResult=True)
    shown = commands.outcome(found)
    return {
        "execution": execution_id,
        "command": arn.rpartition("/")[2],
        "status": shown["status"],
        "reason": ": ".join(filter(None, (shown.get("reasonCode"), shown.get("reason")))) or None,
        "result": hidden(shown["result"]),
        "created": milliseconds(found.get("createdAt")),
    }


def run_command(account: Account, name: str, command: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Start a command with the payload {"action": command, …}."""
    target = account.thing(name)["thingArn"]
    content = json.dumps({"action": command} | payload, sort_keys=True, separators=(",", ":")).encode()
    started = account.jobs_data.start_command_execution(
        targetArn=target,
        commandArn=commands.command_arn(account, command, content),
        executionTimeoutSeconds=_COMMAND_S,
    )
    return {"execution": started["executionId"]}


def milliseconds(value: Any) -> int | None:
    """A time of boto3's, since 1970."""
    found = overview.moment(value)
    return None if found is None else int(found.timestamp() * 1000)
