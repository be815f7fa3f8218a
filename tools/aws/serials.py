"""`aws serials`: the list of serial numbers that may register, which the provisioning hook asks."""

import argparse
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tools.board import progress
from tools.board.errors import BoardError
from tools.thing.account import Account
from tools.thing.failures import code, explained
from tools.thing.output import Cell, Output, moment, when

from .stack import Stack

EXAMPLES = """examples:
  python3 -m tools aws serials                                  which may register, and which did
  python3 -m tools aws serials add --file production/boards.csv what a station has made; those there are stay
  python3 -m tools aws serials add esp32-240ac4000001
  python3 -m tools aws serials release esp32-240ac4000001       it may register once more
  python3 -m tools aws serials remove esp32-240ac4000001        it may not, whatever it has

A file has a serial number a line, or is a station's boards.csv. A serial number is registered by a claim
once, and again within an hour; later only when it was released.
"""
_SERIAL = re.compile(r"[a-zA-Z0-9:_-]{1,128}")  # of a thing's name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its options, beside those of an account."""
    parser.add_argument("change", metavar="CHANGE", nargs="?", choices=("add", "release", "remove"))
    parser.add_argument("serials", metavar="SERIAL", nargs="*", help="as a device tells it: its id")
    parser.add_argument("--file", metavar="FILE", type=Path, help="more of them")


def run(account: Account, out: Output, args: argparse.Namespace) -> int:
    """Run it; the exit status. Raises BoardError."""
    with explained(account.where, "cloudformation"):
        table = Stack(account, out, args.name).outputs().get("Serials")
    if table is None:
        raise BoardError(
            f"{account.where}: no stack {args.name!r} is there", "Make it: python3 -m tools aws up."
        )
    dynamodb = account.client("dynamodb")
    with explained(account.where, "dynamodb"):
        if args.change is None:
            return _tell(out, dynamodb, table)
        serials = list(dict.fromkeys([*args.serials, *(_read(args.file) if args.file else ())]))
        if not serials:
            raise BoardError(f"serials {args.change}: which is not told", "Name them, or --file FILE.")
        for one in serials:  # a wrong one changes nothing
            if not _SERIAL.fullmatch(one):
                raise BoardError(f"{one!r} is no serial number", "1 to 128 of A-Z a-z 0-9 : _ -")
        changed = 0
        with progress.bar() as bar:
            for number, one in enumerate(serials):
                bar(f"serials {args.change}", number, len(serials))
                changed += _change(dynamodb, table, args.change, one)
    value = {"change": args.change, "serials": len(serials), "changed": changed}
    out.result(value, [(f"{args.change}: {changed} of {len(serials)}",)])
    return 0


def count(account: Account, table: str) -> int:
    """How many there are."""
    dynamodb = account.client("dynamodb")
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, Select="COUNT")
    with explained(account.where, "dynamodb"):
        try:
            return sum(page["Count"] for page in pages)
        except dynamodb.exceptions.ResourceNotFoundException:  # an earlier `down` got that far
            return 0


def _tell(out: Output, dynamodb: Any, table: str) -> int:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    found = [
        {
            "serial": one["serial"]["S"],
            "claimed_at": int(one["claimed_at"]["N"]) if "claimed_at" in one else None,
        }
        for page in pages
        for one in page["Items"]
    ]
    found.sort(key=lambda one: one["serial"])
    if out.as_json:
        for one in found:
            out.result(one)
        return 0
    rows: list[tuple[Cell, ...]] = [(one["serial"], _standing(one["claimed_at"])) for one in found]
    out.table(rows or [("none may register: python3 -m tools aws serials add SERIAL",)])
    return 0


def _standing(claimed_at: int | None) -> Cell:
    return ("waits", "dim") if claimed_at is None else f"registered {when(moment(claimed_at * 1000))}"


def _change(dynamodb: Any, table: str, change: str, serial: str) -> bool:
    """Whether anything changed."""
    key = {"serial": {"S": serial}}
    try:
        if change == "add":
            dynamodb.put_item(TableName=table, Item=key, ConditionExpression="attribute_not_exists(serial)")
        elif change == "remove":
            dynamodb.delete_item(TableName=table, Key=key, ConditionExpression="attribute_exists(serial)")
        else:
            dynamodb.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="REMOVE claimed_at",
                ConditionExpression="attribute_exists(claimed_at)",
            )
    except ClientError as error:
        if code(error) != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _read(path: Path) -> Iterator[str]:
    """The serial numbers of a file."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:  # ValueError: it is not UTF-8
        reason = getattr(error, "strerror", None) or "no text"
        raise BoardError(f"{path}: {reason}", "Name a file with a serial number a line.") from None
    if lines and "," in lines[0]:
        rows = csv.DictReader(lines)
        if "name" not in (rows.fieldnames or ()):
            raise BoardError(f"{path}: no column is called name", "A station's boards.csv has one.")
        yield from (row["name"] for row in rows if row["name"])
        return
    yield from (line.strip() for line in lines if line.strip())
