"""Lists in pages, as AWS gives them: `maxResults` of them and a token for the next."""

from collections.abc import Callable, Sequence
from typing import Any

from .errors import AwsError


def page(
    name: str,
    items: Sequence[Any],
    token: str | None,
    limit: int,
    longest: int,
    error: type[AwsError],
    shown: Callable[[Any], Any] = lambda item: item,
) -> dict[str, Any]:
    """One page under `name`, with `nextToken` where more follows.

    Args:
        name: the list's name in the answer.
        items: all that there is, in an order that stays.
        token: the nextToken of the page before; None for the first.
        limit: maxResults.
        longest: the largest maxResults.
        error: raised for a token or a limit that cannot be.
        shown: what stands in the answer for an item.
    """
    if not 1 <= limit <= longest:
        raise error(f"maxResults: {limit}, must be 1 to {longest}")
    if token is not None and not (token.isascii() and token.isdigit() and len(token) < 10):
        raise error(f"nextToken: {token!r} is none of this list")
    start = int(token or 0)
    more = {"nextToken": str(start + limit)} if start + limit < len(items) else {}
    return {name: [shown(item) for item in items[start : start + limit]]} | more
