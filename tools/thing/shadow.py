"""A thing's shadow: what is desired, what the device reports, what differs."""

import argparse
import json
from typing import Any

from botocore.exceptions import ClientError

from tools.board.errors import BoardError
from tools.board.progress import status

from . import values
from .account import Account
from .failures import is_missing
from .output import Cell, Output

CLASSIC = "classic"
_SECTIONS = ("desired", "reported", "delta")


def get(account: Account, out: Output, thing: dict[str, Any], args: argparse.Namespace) -> int:
    """Its three sections side by side."""
    document = _existing(account, thing["thingName"], args.shadow)
    out.result(_shown(document, args.shadow), _rows(document, args.shadow))
    return 0


def set_(account: Account, out: Output, thing: dict[str, Any], args: argparse.Namespace) -> int:
    """Change what is desired; BoardError where it is not reported within `args.wait` seconds."""
    name, desired = thing["thingName"], args.members
    payload = json.dumps({"state": {"desired": desired}}).encode()
    told = account.data.update_thing_shadow(thingName=name, payload=payload, **_named(args.shadow))
    version = json.loads(told["payload"].read())["version"]
    if args.wait is None:
        result = {"shadow": args.shadow or CLASSIC, "version": version, "desired": desired}
        out.result(result, [(f"{_title(args.shadow, version)}: desired now",)])
        return 0
    keys = [key for key, _ in values.leaves(desired)]
    waited = f"{', '.join(keys)}: {name} has not reported as desired"
    with status(waited):
        for _ in account.turns(args.wait):
            document = find(account, name, args.shadow) or {}
            state = document.get("state", {})
            open_keys = [key for key in keys if values.at(state.get("delta"), key) is not None]
            if not open_keys:
                out.result(_shown(document, args.shadow), _rows(document, args.shadow))
                return 0
    reported = "; ".join(f"{key} is {_cell(values.at(state.get('reported'), key))}" for key in open_keys)
    raise BoardError(
        f"{name} has not reported what is desired within {args.wait:g} s: {reported}",
        f"Whether it is connected: python3 -m tools thing {name} show. It stays desired.",
    )


def names(account: Account, thing: str) -> list[str]:
    """Which shadows there are, the classic one as "classic"."""
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = account.data.list_named_shadows_for_thing(thingName=thing, **token)
        found += page["results"]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    return [*([CLASSIC] if find(account, thing, None) else []), *found]


def _named(shadow: str | None) -> dict[str, str]:
    return {"shadowName": shadow} if shadow else {}


def find(account: Account, thing: str, shadow: str | None) -> dict[str, Any] | None:
    """A shadow's document; None where there is none."""
    try:
        found = account.data.get_thing_shadow(thingName=thing, **_named(shadow))
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    document: dict[str, Any] = json.loads(found["payload"].read())
    return document


def _existing(account: Account, thing: str, shadow: str | None) -> dict[str, Any]:
    document = find(account, thing, shadow)
    if document is None:
        there = ", ".join(names(account, thing))
        make = f"python3 -m tools thing {thing} shadow set KEY=JSON" + (f" --name {shadow}" if shadow else "")
        remedy = f"These there are: {there}." if there else f"It has none; the device makes one, or: {make}"
        raise BoardError(f"{thing} has no shadow {shadow or CLASSIC!r}", remedy)
    return document


def _title(shadow: str | None, version: int) -> str:
    return f"shadow {shadow or CLASSIC}, version {version}"


def _shown(document: dict[str, Any], shadow: str | None) -> dict[str, Any]:
    state = document.get("state") or {}
    sections = {section: state.get(section) or {} for section in _SECTIONS}
    return {"shadow": shadow or CLASSIC, "version": document["version"], **sections}


def _rows(document: dict[str, Any], shadow: str | None) -> list[tuple[Cell, ...]]:
    """A line for each value."""
    state = document.get("state") or {}
    found = {section: dict(values.leaves(state.get(section) or {})) for section in _SECTIONS}
    keys = sorted({key for section in found.values() for key in section})
    title = (_title(shadow, document["version"]), "cyan")
    rows: list[tuple[Cell, ...]] = [(title, *((section, "cyan") for section in _SECTIONS))]
    for key in keys:
        cells = [values.text(found[section][key]) if key in found[section] else "-" for section in _SECTIONS]
        style = "yellow" if key in found["delta"] else ""
        rows.append((key, *((cell, style) for cell in cells)))
    return rows


def _cell(value: Any) -> str:
    return "not reported" if value is None else values.text(value)
