"""What is known of the things of a cloud, and all that is known of one."""

import argparse
import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from . import jobs, shadow
from .account import Account
from .failures import code, is_missing
from .output import Cell, Output, members, moment, note, when

_AT_ONCE = 8  # requests for connections
_SHOWN_JOBS = 5
_ACTIVE = "ACTIVE"
_SOON_DAYS = 30


def list_things(account: Account, out: Output, count: int) -> int:
    """The first `count` things: name, type, connected."""
    pages = account.iot.get_paginator("list_things").paginate(PaginationConfig={"PageSize": min(count, 250)})
    things = list(islice((thing for page in pages for thing in page["things"]), count + 1))
    _ = account.data  # made once, before the threads
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        connections = list(pool.map(lambda thing: connection(account, thing), things[:count]))
    pairs = list(zip(things, connections, strict=False))
    if not things:
        note(f"{account.where}: no things as yet; a device makes its own when it is provisioned")
    rows: list[tuple[Cell, ...]] = [("name", "type", "connected")] if things else []
    rows += [(thing["thingName"], thing.get("thingTypeName", "-"), _connected(it)) for thing, it in pairs]
    if out.as_json:
        for thing, it in pairs:
            out.result(members(thing, "thingName", "thingTypeName", "attributes") | {"connection": it})
    else:
        out.table(rows)
    if len(things) > count:
        note(f"{count} of more: --count N")
    return 0


def show(account: Account, out: Output, thing: dict[str, Any], args: argparse.Namespace) -> int:
    """Attributes, connection, certificates, shadows, the latest jobs."""
    name = thing["thingName"]
    found = {
        "thing": members(thing, "thingName", "thingTypeName", "thingArn", "attributes", "version"),
        "connection": connection(account, thing),
        "certificates": list(certificates(account, name)),
        "shadows": shadow.names(account, name),
        "jobs": jobs.latest(account, name, _SHOWN_JOBS),
    }
    out.result(found, [] if out.as_json else list(_rows(found)))
    return 0


def connection(account: Account, thing: dict[str, Any]) -> dict[str, Any]:
    """{"connected": True, False or None, …}: None with a `reason` where the cloud does not tell."""
    client_id = thing.get("defaultClientId") or thing["thingName"]
    try:
        found = account.data.get_connection(clientId=client_id)
    except ClientError as error:
        if is_missing(error):
            return {"connected": False}
        return {"connected": None, "reason": f"{code(error)}: iot:{error.operation_name}"}
    shown = members(found, "connected", "keepAliveDuration", "cleanSession", "disconnectReason")
    times = {name: moment(found[name]) for name in ("connectedSince", "disconnectedSince") if name in found}
    return shown | times


def certificates(account: Account, name: str) -> Iterator[dict[str, Any]]:
    """Those that are attached to a thing."""
    pages = account.iot.get_paginator("list_thing_principals").paginate(thingName=name)
    for principal in (principal for page in pages for principal in page["principals"]):
        kind, _, identifier = principal.rpartition(":")[2].partition("/")
        if kind == "cert":
            answer = account.iot.describe_certificate(certificateId=identifier)
            it = answer["certificateDescription"]
            yield members(it, "certificateId", "status", "creationDate") | {
                "ends": it.get("validity", {}).get("notAfter")
            }


def _rows(found: dict[str, Any]) -> Iterator[tuple[Cell, ...]]:
    def row(what: str, *cells: Cell) -> tuple[Cell, ...]:
        return (what, "cyan"), *cells

    thing = found["thing"]
    of_type = f", of type {thing['thingTypeName']}" if "thingTypeName" in thing else ""
    yield row("thing", thing["thingName"] + of_type)
    for key, value in sorted(thing.get("attributes", {}).items()):
        yield row("attribute", f"{key}={value}")
    yield row("connected", _connected(found["connection"]))
    for it in found["certificates"]:
        yield row("certificate", _certificate(it))
    if not found["certificates"]:
        yield row("certificate", ("none is attached", "yellow"))
    yield row("shadows", ", ".join(found["shadows"]) or "none")
    for it in found["jobs"]:
        yield row("job", jobs.line(it))
    if not found["jobs"]:
        yield row("jobs", "none")


def _connected(it: dict[str, Any]) -> Cell:
    if it["connected"] is None:
        return f"unknown: {it['reason']}"
    if it["connected"]:
        return f"since {when(it.get('connectedSince'))}", "green"
    if "disconnectedSince" in it:
        return f"no, since {when(it['disconnectedSince'])}: {it.get('disconnectReason', '')}", "yellow"
    return "no, and was not within the last 30 minutes", "yellow"


def _certificate(it: dict[str, Any]) -> Cell:
    text = f"{it['certificateId'][:12]}… {it['status']}"
    style = "" if it["status"] == _ACTIVE else "yellow"
    if it["ends"] is not None:
        days = (it["ends"] - dt.datetime.now(dt.UTC)).days
        text += f", ends {when(it['ends'])}, in {days:,} days" if days >= 0 else f", ended {when(it['ends'])}"
        style = "bold red" if days < 0 else "yellow" if days < _SOON_DAYS else style
    return text, style
