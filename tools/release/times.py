"""Times of a release, none of which is this machine's."""

import os
from datetime import UTC, datetime, timedelta

from tools.board.errors import BoardError

EPOCH = "SOURCE_DATE_EPOCH"
LASTS = timedelta(days=365)


def epoch() -> datetime | None:
    """The time that the environment gives to all that is built (reproducible-builds.org), if it does.

    Raises BoardError where it is none.
    """
    if not (told := os.environ.get(EPOCH)):
        return None
    try:
        return datetime.fromtimestamp(int(told), UTC)
    except (ValueError, OverflowError, OSError):
        raise BoardError(f"{EPOCH} is {told!r}: no time", "It is in seconds since 1970.") from None


def moment(text: str) -> datetime:
    """A time of an option, in UTC to the second: 2027-06-01, or 2027-06-01T12:00:00Z. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
