"""When a job starts and ends by its schedulingConfig (AWS: SchedulingConfig)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..errors import InvalidRequestException

_MINUTE_S = 60
_SOONEST_S = 30 * _MINUTE_S
_YEAR_S = 366 * 24 * 60 * _MINUTE_S


def times(scheduling: Mapping[str, Any], now_s: float) -> tuple[float | None, float | None]:
    """(start, end), seconds since 1970; None for what is not scheduled.

    Raises:
        InvalidRequestException: no date and time, or not 30 minutes to one year ahead (the end: two years,
            and 30 minutes after the start), or `endBehavior` without `endTime`.
    """
    start_s, end_s = _time(scheduling, "startTime"), _time(scheduling, "endTime")
    if start_s is not None and not _SOONEST_S <= start_s - now_s <= _YEAR_S:
        raise InvalidRequestException("schedulingConfig.startTime: must be 30 minutes to one year ahead")
    if end_s is None:
        if "endBehavior" in scheduling:
            raise InvalidRequestException("schedulingConfig.endBehavior: needs endTime")
    elif end_s - (start_s or now_s) < _SOONEST_S or end_s - now_s > 2 * _YEAR_S:
        text = "schedulingConfig.endTime: must be 30 minutes after the start, at most two years ahead"
        raise InvalidRequestException(text)
    return start_s, end_s


def _time(scheduling: Mapping[str, Any], name: str) -> float | None:
    value = scheduling.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        text = f"schedulingConfig.{name}: {value!r}, must be YYYY-MM-DD HH:MM, in UTC"
        raise InvalidRequestException(text) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
