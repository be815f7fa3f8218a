"""What `aws check` asks of the account: who one is there, the time, the endpoint, quotas."""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tools.thing.account import Account

from . import reach
from .finding import Finding, fault, ok, unknown

_SKEW_MAX_S = 60
_REGION = re.compile(r"\.iot(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com")
_QUOTAS = ("connect requests per second", "inbound publish requests per second", "concurrent client connect")
_SET_CLOCK = "Set it: timedatectl set-ntp true. AWS refuses signatures that are five minutes off."


def clock(
    account: Account, now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
) -> Iterator[Finding]:
    """Whether this computer's clock is AWS's: one that is off is why signatures are refused."""
    try:
        found = account.iot.describe_endpoint(endpointType="iot:Data-ATS")
    except ClientError as error:
        found = error.response
    except BotoCoreError:  # no answer: the next question says why
        return
    yield from _clock(found.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date"), now())


def identity(account: Account) -> Iterator[Finding]:
    """Who these credentials are."""
    found = account.client("sts").get_caller_identity()
    yield ok("credentials", f"account {found['Account']}, {found['Arn']}")


def _clock(date: str | None, now: dt.datetime) -> Iterator[Finding]:
    if not date:
        yield unknown("clock", "the answer has no Date")
        return
    off_s = round((now - parsedate_to_datetime(date)).total_seconds())
    if abs(off_s) <= _SKEW_MAX_S:
        yield ok("clock", "this computer's is AWS's, within a minute")
        return
    off = f"{dt.timedelta(seconds=abs(off_s))} {'ahead of' if off_s > 0 else 'behind'}"
    yield fault("clock", f"this computer's is {off} AWS's", _SET_CLOCK)


def endpoint(account: Account, aws: Mapping[str, Any] | None) -> Iterator[Finding]:
    """The region, its endpoint, and that the product names the same and devices reach it.

    Args:
        account: that is asked.
        aws: that section of a product; None where none is given.
    """
    address = account.iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    host = address.partition(":")[0]
    if aws is None:
        yield ok("region", account.region)
        yield ok("endpoint", host)
        yield unknown("TLS", "not tried: no root is known", "Name what devices are given: --product FILE.")
        return
    told = _REGION.search(aws["endpoint"])
    if told and told[1] != account.region:
        text = f"asked is {account.region}, but the product's endpoint is in {told[1]}"
        yield fault("region", text, f"Ask there: --region {told[1]}. Or make a product for this one.")
    else:
        yield ok("region", account.region)
    if aws["endpoint"].lower() == host.lower():
        yield ok("endpoint", host)
    else:
        text = f"the product names {aws['endpoint']}, the account's is {host}"
        yield fault("endpoint", text, "Is it the right account and region? Else make the product anew.")
    yield from reach.tls(aws)


def quotas(account: Account) -> Iterator[Finding]:
    """Those that a fleet meets first, as they are in this account."""
    pages = account.client("service-quotas").get_paginator("list_service_quotas")
    found = [one for page in pages.paginate(ServiceCode="iotcore") for one in page["Quotas"]]
    shown = [one for one in found if any(words in one["QuotaName"].lower() for words in _QUOTAS)]
    for one in shown:
        yield ok("quota", f"{one['QuotaName']}: {one['Value']:,.0f}")
    if not shown:
        yield unknown("quota", f"none of the {len(found)} that are told is about connections")
