"""`aws cost`: what a month of a fleet is, by item."""

import argparse
from dataclasses import dataclass

from tools.board.errors import BoardError
from tools.numbers import count, positive
from tools.thing.output import Cell, Output

from . import usage
from .prices import FREE, PRICES, Price
from .usage import Fleet

EXAMPLES = """examples:
  python3 -m tools aws cost --devices 1000 --every 60
  python3 -m tools aws cost --devices 50                            telemetry as often as the example's
  python3 -m tools aws cost --devices 1000 --every 60 --rules 1     and one topic rule takes each message
  python3 -m tools aws cost --devices 1000 --every 60 --region eu-west-1 --json

Asks nobody: the prices are data of this version, with their dates. Counted is what the example application
does: connected all the time, a new connection a day, an update a month; and each device claims in this month.
"""
_ITEMS = {
    "minutes": "minutes connected",
    "messages": "messages of 5 KB",
    "rules": "rules triggered",
    "actions": "actions of rules",
    "operations": "shadow and registry",
    "index": "fleet index updates",
    "jobs": "jobs",
    "s3_gets": "S3 GET",
    "lambda_requests": "Lambda requests",
    "lambda_gb_s": "Lambda GB-seconds",
    "logs_bytes": "bytes of logs",
}
_REGION = "us-east-1"


@dataclass(frozen=True)
class Line:
    """One item of a month.

    Args:
        item: of tools.aws.prices.
        count: how many of it.
        usd: without a free tier; None where no price is kept.
        free_usd: what of that the free tier takes, in an account's first twelve months.
        always_usd: what of that stays free afterwards.
        price: where it comes from.
    """

    item: str
    count: float
    usd: float | None
    free_usd: float
    always_usd: float
    price: Price | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its options, beside --json."""
    parser.add_argument("--devices", metavar="N", type=count, required=True, help="so many")
    parser.add_argument(
        "--every",
        metavar="S",
        type=positive,
        default=usage.TELEMETRY_S,
        help="seconds from one message to the next; default: %(default)g, the example's",
    )
    parser.add_argument(
        "--bytes",
        metavar="B",
        type=count,
        default=usage.TELEMETRY_BYTES,
        help="of a message with its topic; default: %(default)s, the example's",
    )
    parser.add_argument(
        "--rules",
        metavar="N",
        type=int,
        choices=range(11),
        default=0,
        help="topic rules that take each message, of one action each; default: 0, as `aws up` makes none",
    )
    parser.add_argument("--region", metavar="R", default=_REGION, help="default: %(default)s")


def run(out: Output, args: argparse.Namespace) -> int:
    """Run it; the exit status. Raises BoardError for a region of which no price is kept."""
    if args.region not in PRICES:
        raise BoardError(
            f"no price of {args.region} is kept",
            f"Kept are those of {', '.join(PRICES)}. AWS's own for all regions: https://calculator.aws",
        )
    fleet = Fleet(args.devices, args.every, args.bytes, args.rules)
    lines = month(fleet, PRICES[args.region])
    usd = sum(line.usd or 0.0 for line in lines)
    total = {
        "usd": usd,
        "always_free_usd": sum(line.always_usd for line in lines),
        "first_year_free_usd": sum(line.free_usd for line in lines),
    }
    if out.as_json:
        out.result({"region": args.region, **total, "items": [_json(line) for line in lines]})
        return 0
    out.table([("", "in a month", "USD", "free tier", "price of"), *map(_row, lines)])
    _sum_up(out, args, lines, total)
    return 0


def month(fleet: Fleet, prices: dict[str, Price]) -> list[Line]:
    """Each item of a month."""
    lines = []
    for item, number in fleet.month().items():
        price, free = prices.get(item), FREE.get(item)
        usd = price.of(number) if price else None
        saved = price.of(number) - price.of(max(0.0, number - free.count)) if price and free else 0.0
        lines.append(Line(item, number, usd, saved, saved if free and free.always else 0.0, price))
    return lines


def _row(line: Line) -> tuple[Cell, ...]:
    number = f"{line.count:,.0f}"
    if line.usd is None or line.price is None:
        return _ITEMS[line.item], number, ("?", "yellow"), "", "none is kept for this region"
    free = f"-{line.free_usd:,.2f}" if line.free_usd else ""
    return (
        _ITEMS[line.item],
        number,
        f"{line.usd:,.2f}",
        free,
        (f"{line.price.read}, {line.price.source}", "dim"),
    )


def _sum_up(out: Output, args: argparse.Namespace, lines: list[Line], total: dict[str, float]) -> None:
    """What it comes to, and what it rests on."""
    missing = [_ITEMS[line.item] for line in lines if line.usd is None and line.count]
    usd = total["usd"]
    rows: list[tuple[Cell, ...]] = [
        ("a month", f"{usd - total['always_free_usd']:,.2f} USD in {args.region}, without tax"),
        ("a device", f"{(usd - total['always_free_usd']) / args.devices:,.4f} USD"),
        ("first year", f"{usd - total['first_year_free_usd']:,.2f} USD with the free tier of old accounts"),
    ]
    if missing:
        rows.append((("without", "yellow"), ", ".join(missing)))
    out.table([("",), *rows])


def _json(line: Line) -> dict[str, object]:
    price = line.price
    return {
        "item": line.item,
        "count": line.count,
        "usd": line.usd,
        "free_usd": line.free_usd,
        "source": price.source if price else None,
        "read": price.read if price else None,
    }
