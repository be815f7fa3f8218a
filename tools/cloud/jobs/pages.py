"""Lists that are answered page by page."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..errors import InvalidRequestException
from . import shapes

Item = TypeVar("Item")
_MAX_RESULTS = shapes.whole(1, 250)


def page(
    name: str,
    items: Sequence[Item],
    shown: Callable[[Item], dict[str, Any]],
    max_results: int | None,
    token: str | None,
) -> dict[str, Any]:
    """{name: the items of one page as they are shown, "nextToken": of the next page, if there is one}.

    Raises:
        InvalidRequestException: maxResults is not 1 to 250, or nextToken is none of an answer.
    """
    if max_results is not None:
        _MAX_RESULTS("maxResults", max_results)
    if token is not None and not (token.isascii() and token.isdigit() and len(token) < 10):
        raise InvalidRequestException("nextToken: is not from an answer")
    first = int(token or 0)
    last = first + (max_results or 250)
    answer: dict[str, Any] = {name: [shown(item) for item in items[first:last]]}
    return answer | ({"nextToken": str(last)} if last < len(items) else {})
