"""What is known of many things: the registry, who is connected, each one's version, when it was last seen."""

import datetime as dt
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from tools.board.progress import bar
from tools.thing.account import Account
from tools.thing.failures import is_missing
from tools.thing.overview import connection

_AT_ONCE = 8  # requests
_PAGE = 250
PACKAGE = "$package"  # the shadow that AWS reserves for versions (docs/reports.md)


@dataclass(frozen=True)
class Seen:
    """One thing as of now.

    Args:
        thing: of ListThings.
        connection: as `tools thing` tells it.
        versions: by software package, as the device reports them.
        at: when it was last heard of for certain, None for never.
        by: what tells that.
    """

    thing: dict[str, Any]
    connection: dict[str, Any]
    versions: dict[str, str]
    at: dt.datetime | None
    by: str

    @property
    def name(self) -> str:
        return str(self.thing["thingName"])

    def as_json(self) -> dict[str, Any]:
        found = {
            name: self.thing[name]
            for name in ("thingName", "thingTypeName", "attributes")
            if name in self.thing
        }
        return found | {
            "connection": self.connection,
            "versions": self.versions,
            "seen": {"at": self.at, "by": self.by},
        }


def things(account: Account, group: str | None, tag: tuple[str, str] | None) -> Iterator[dict[str, Any]]:
    """All, or those of a group and those below it, with an attribute of that value."""
    if group is None:
        wanted = {"attributeName": tag[0], "attributeValue": tag[1]} if tag else {}
        pages = account.iot.get_paginator("list_things").paginate(
            PaginationConfig={"PageSize": _PAGE}, **wanted
        )
        yield from (thing for page in pages for thing in page["things"])
        return
    paginator = account.iot.get_paginator("list_things_in_thing_group")
    for page in paginator.paginate(thingGroupName=group, recursive=True):
        for name in page["things"]:
            thing = account.thing(name)
            if tag is None or thing.get("attributes", {}).get(tag[0]) == tag[1]:
                yield thing


def survey(account: Account, found: Iterator[dict[str, Any]], count: int | None = None) -> list[Seen]:
    """What is known of each, in their order; of the first `count`."""
    chosen = list(islice(found, count))
    _ = account.data, account.iot  # made once, before the threads
    seen = []
    with ThreadPoolExecutor(_AT_ONCE) as pool, bar() as show:
        for one in pool.map(lambda thing: look(account, thing), chosen):
            seen.append(one)
            show("looking at things", len(seen), len(chosen))
    return seen


def look(account: Account, thing: dict[str, Any]) -> Seen:
    """One thing."""
    found = connection(account, thing)
    name = thing["thingName"]
    package = _shadow(account, name, {"shadowName": PACKAGE})
    versions = {
        key: str(value["version"])
        for key, value in package.get("state", {}).get("reported", {}).items()
        if isinstance(value, dict) and "version" in value
    }
    at, by = _last(account, name, found, package)
    return Seen(thing, found, versions, at, by)


def _last(
    account: Account, name: str, found: dict[str, Any], package: dict[str, Any]
) -> tuple[dt.datetime | None, str]:
    """When a thing was there, and what tells that. AWS itself forgets a connection after half an hour."""
    if found["connected"]:
        return dt.datetime.now(dt.UTC), "connected"
    if "disconnectedSince" in found:
        return found["disconnectedSince"], "disconnected"
    times = [(_reported(package), f"shadow {PACKAGE}"), (_reported(_shadow(account, name, {})), "shadow")]
    if not any(at for at, _ in times):
        times.append((_certified(account, name), "certificate"))
    return max(((at, by) for at, by in times if at), default=(None, "never"))


def _shadow(account: Account, thing: str, which: dict[str, str]) -> dict[str, Any]:
    """The document; {} where there is none."""
    try:
        answer = account.data.get_thing_shadow(thingName=thing, **which)
    except ClientError as error:
        if is_missing(error):
            return {}
        raise
    document: dict[str, Any] = json.loads(answer["payload"].read())
    return document


def _reported(document: dict[str, Any]) -> dt.datetime | None:
    """When anything of it was reported last."""
    stamps = list(_stamps(document.get("metadata", {}).get("reported", {})))
    return dt.datetime.fromtimestamp(max(stamps), dt.UTC) if stamps else None


def _stamps(value: Any) -> Iterator[int]:
    if isinstance(value, list):
        for one in value:
            yield from _stamps(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == "timestamp" and isinstance(one, int):
                yield one
            else:
                yield from _stamps(one)


def _certified(account: Account, name: str) -> dt.datetime | None:
    """When its newest certificate was made: a device was there then."""
    made = [
        account.iot.describe_certificate(certificateId=identifier)["certificateDescription"]["creationDate"]
        for identifier in certificates(account, name)
    ]
    return max(made, default=None)


def certificates(account: Account, thing: str) -> list[str]:
    """The ids of those that are attached to it."""
    pages = account.iot.get_paginator("list_thing_principals").paginate(thingName=thing)
    principals = (principal.rpartition(":")[2] for page in pages for principal in page["principals"])
    return [principal.partition("/")[2] for principal in principals if principal.startswith("cert/")]
