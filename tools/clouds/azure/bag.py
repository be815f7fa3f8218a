"""What Azure has in topics: property bags, and the `?$rid=…` of requests and answers."""

from collections.abc import Mapping
from urllib.parse import quote, unquote

Properties = Mapping[str, str | None]
"""Names and values; None is a name without `=`."""


def encode(properties: Properties) -> str:
    """As `name=value&name&…`, percent-encoded."""
    return "&".join(
        quote(name, safe="") + ("" if value is None else "=" + quote(value, safe=""))
        for name, value in properties.items()
    )


def decode(bag: str) -> dict[str, str | None]:
    """A bag's properties; one that begins with `?` is taken, too."""
    found: dict[str, str | None] = {}
    for part in filter(None, bag.removeprefix("?").split("&")):
        name, equals, value = part.partition("=")
        found[unquote(name)] = unquote(value) if equals else None
    return found


def request_id(bag: str) -> str | None:
    """The `$rid` of a request's topic; None where it has none."""
    return decode(bag).get("$rid")
