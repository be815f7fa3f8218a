"""Lines in pieces that their taker has room for."""

from collections.abc import Callable, Iterator, Sequence

from .lines import Line

Placed = tuple[int, Line]
"""A line, and its place among all that are to be sent."""


def batches(
    found: Sequence[Placed], count: int, size_bytes: int, size_of: Callable[[Line], int]
) -> Iterator[list[Placed]]:
    """In their order; a line that is larger than that by itself is alone."""
    batch: list[Placed] = []
    size = 0
    for place, line in found:
        more = size_of(line)
        if batch and (len(batch) == count or size + more > size_bytes):
            yield batch
            batch, size = [], 0
        batch.append((place, line))
        size += more
    if batch:
        yield batch
