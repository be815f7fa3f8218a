"""`fleet list`, `fleet show` and `fleet stale`: many things in a table, a fleet in numbers."""

import argparse
import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tools.thing import overview
from tools.thing.account import Account
from tools.thing.output import Cell, Output, note, when

from .survey import Seen, look, survey, things


def list_(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Each thing: version, connected or last seen, tags."""
    seen = survey(account, things(account, args.group, args.tag), args.count + 1)
    if not seen:
        note(f"{account.where}: no such things")
    _told(out, seen[: args.count])
    if len(seen) > args.count:
        note(f"{args.count} of more: --count N")
    return 0


def stale(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Those that were not seen for so many days, the longest first."""
    limit = dt.datetime.now(dt.UTC) - dt.timedelta(days=args.days)
    seen = survey(account, things(account, args.group, args.tag))
    never = dt.datetime.min.replace(tzinfo=dt.UTC)
    found = sorted((one for one in seen if (one.at or never) < limit), key=lambda one: one.at or never)
    _told(out, found)
    note(f"{len(found)} of {len(seen)} things were not seen for {args.days:g} days")
    return 0


def show(account: Account, out: Output, args: argparse.Namespace) -> int:
    """One thing with its groups, or the fleet in numbers."""
    if args.thing:
        return _one(account, out, args)
    seen = survey(account, things(account, None, None))
    versions = Counter(", ".join(_versions(one)) or "unknown" for one in seen)
    now = dt.datetime.now(dt.UTC)
    ages = Counter(_age(one, now) for one in seen)
    value = {
        "things": len(seen),
        "connected": sum(bool(one.connection["connected"]) for one in seen),
        "versions": dict(versions.most_common()),
        "seen": {name: ages[name] for name in _AGES},
    }
    rows: list[tuple[Cell, ...]] = [("things", str(value["things"])), ("connected", str(value["connected"]))]
    rows += [(f"version {name}", str(number)) for name, number in versions.most_common()]
    rows += [(f"seen {name}", str(ages[name])) for name in _AGES]
    out.result(value, rows)
    return 0


_WIDTH = len("certificate")  # of the first column of what follows
_AGES = {"today": 1.0, "this week": 7.0, "this month": 30.0, "before": float("inf")}


def _age(one: Seen, now: dt.datetime) -> str:
    days = (now - one.at) / dt.timedelta(days=1) if one.at else float("inf")
    return next(name for name, most in _AGES.items() if days <= most)


def _one(account: Account, out: Output, args: argparse.Namespace) -> int:
    thing = account.thing(args.thing)
    seen, groups = look(account, thing), _groups(account, args.thing)
    if out.as_json:
        out.result(seen.as_json() | {"groups": groups})
        return 0
    told: tuple[tuple[str, Cell], ...] = (
        ("groups", ", ".join(groups) or "none"),
        ("seen", _when(seen)),
        ("version", ", ".join(_versions(seen)) or "unknown"),
    )
    out.table([((what.ljust(_WIDTH), "cyan"), cell) for what, cell in told])
    return overview.show(account, out, thing, args)


def _groups(account: Account, name: str) -> list[str]:
    pages = account.iot.get_paginator("list_thing_groups_for_thing").paginate(thingName=name)
    return [group["groupName"] for page in pages for group in page["thingGroups"]]


def _told(out: Output, seen: Iterable[Seen]) -> None:
    seen = list(seen)
    if out.as_json:
        for one in seen:
            out.result(one.as_json())
        return
    head: list[tuple[Cell, ...]] = [("name", "version", "seen", "tags")] if seen else []
    out.table(
        [*head, *((one.name, ", ".join(_versions(one)) or "-", _when(one), _tags(one)) for one in seen)]
    )


def _versions(one: Seen) -> list[str]:
    return [f"{name} {version}" for name, version in sorted(one.versions.items())]


def _when(one: Seen) -> Cell:
    if one.by == "connected":
        since = when(one.connection.get("connectedSince"))
        return f"connected since {since}", "green"
    return (f"{when(one.at)} ({one.by})", "") if one.at else ("never", "yellow")


def _tags(one: Seen) -> str:
    attributes: dict[str, Any] = one.thing.get("attributes", {})
    return " ".join(f"{key}={value}" for key, value in sorted(attributes.items()))
