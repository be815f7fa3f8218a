"""A list in pages, as AWS gives it: so many entries, and a token for the ones behind them."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from ..errors import InvalidRequestException


def page(
    keys: Iterable[str], most: int | None = None, token: str | None = None, ascending: bool = True
) -> tuple[list[str], str | None]:
    """The keys of one page, and the token of the next one, None behind the last.

    What is added or deleted between two pages shifts nothing: a token names the last key that was given.

    Args:
        keys: all of them, each once.
        most: how many a page has, 1 or more; all where it is None.
        token: of the page before, None for the first.
        ascending: the order of the keys.

    Raises:
        InvalidRequestException: the token is none.
    """
    ordered = sorted(keys, reverse=not ascending)
    if token is not None:
        last = _key(token)
        ordered = [key for key in ordered if (key > last if ascending else key < last)]
    if most is None or len(ordered) <= most:
        return ordered, None
    chosen = ordered[:most]
    return chosen, base64.urlsafe_b64encode(chosen[-1].encode()).decode()


def listed(name: str, entries: list[Any], token: str | None, key: str = "nextToken") -> dict[str, Any]:
    """The answer that has a page's entries, and its token where there is one."""
    return {name: entries} | ({key: token} if token else {})


def _key(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidRequestException("the token is not one that a page before came with") from None
