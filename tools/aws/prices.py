"""What AWS asks for what, as data: USD without tax, each price with where it was read, and when.

None is here that was not read somewhere. AWS's own pages fill in their tables in a browser, region by region;
what can be read without one are their worked examples, and what others quote of the tables. Few regions are
here, not all of them whole, and what is missing is told as missing.
"""

from dataclasses import dataclass

MONTH_DAYS = 30  # as in AWS's own examples
_END = float("inf")


@dataclass(frozen=True)
class Price:
    """Of one item.

    Args:
        tiers: (up to how many in a month, USD for `per` of them), the last one without an end.
        per: see there.
        source: where it was read.
        read: on which day, or in which month.
    """

    tiers: tuple[tuple[float, float], ...]
    per: int
    source: str
    read: str

    def of(self, count: float) -> float:
        """USD for so many in a month."""
        usd, below = 0.0, 0.0
        for limit, price in self.tiers:
            usd += max(0.0, min(count, limit) - below) * price / self.per
            below = limit
        return usd


@dataclass(frozen=True)
class Free:
    """What is free in each month: `always`, or in an account's first twelve months."""

    count: float
    always: bool


def _one(usd: float, per: int, source: str, read: str) -> Price:
    return Price(((_END, usd),), per, source, read)


_M, _GB = 1_000_000, 1_000_000_000
_IOT = "aws.amazon.com/iot-core/pricing, examples"
_MANAGEMENT = "aws.amazon.com/iot-device-management/pricing, examples"
_QUOTED = "quotes of aws.amazon.com/iot-core/pricing"
_S3 = "quotes of aws.amazon.com/s3/pricing"
_LAMBDA = "aws.amazon.com/lambda/pricing, examples"
_LOGS = "quotes of aws.amazon.com/cloudwatch/pricing"

# Of Europe (Ireland) and US East (N. Virginia) alike.
_OF_IOT = {
    "minutes": _one(0.08, _M, _IOT, "2026-09-20"),
    "messages": Price(((1e9, 1.00), (5e9, 0.80), (_END, 0.70)), _M, _IOT, "2026-09-20"),
    "rules": _one(0.15, _M, _QUOTED, "2026-06"),
    "actions": _one(0.15, _M, _QUOTED, "2026-06"),
    "operations": _one(1.25, _M, _QUOTED, "2026-06"),
}
PRICES: dict[str, dict[str, Price]] = {
    "us-east-1": {
        **_OF_IOT,
        "index": _one(2.25, _M, _MANAGEMENT, "2026-09-20"),
        "jobs": _one(0.003, 1, _MANAGEMENT, "2026-09-20"),  # of the first 250,000; later ones cost less
        "s3_gets": _one(0.0004, 1000, _S3, "2026-05-05"),
        "lambda_requests": _one(0.20, _M, _LAMBDA, "2026-09-20"),
        "lambda_gb_s": _one(0.0000166667, 1, "quotes of aws.amazon.com/lambda/pricing", "2024"),
        "logs_bytes": _one(0.50, _GB, _LOGS, "2026-06"),
    },
    "eu-west-1": _OF_IOT,
}
# An account that was made since 15 July 2025 has credits, of up to 200 USD, in place of the twelve months.
FREE = {
    "minutes": Free(2_250_000, False),
    "messages": Free(500_000, False),
    "rules": Free(250_000, False),
    "actions": Free(250_000, False),
    "operations": Free(225_000, False),
    "jobs": Free(50, False),
    "lambda_requests": Free(1_000_000, True),
    "lambda_gb_s": Free(400_000, True),
    "logs_bytes": Free(5 * _GB, True),
}
