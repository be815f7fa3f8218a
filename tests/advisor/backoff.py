"""What the times between a device's attempts are: Device Advisor reports a backoff as one of these kinds."""

from collections.abc import Sequence
from itertools import pairwise

_ALIKE = 0.1  # of the mean: what differs by no more is the same to the eye of whoever reads a log


def kind_of_backoff(pauses_s: Sequence[float]) -> str:
    """ "constant", "linear", "exponential", "jitter", or "none" where they do not grow.

    Args:
        pauses_s: between attempts that follow on each other, at least five.
    """
    steps = _differences(pauses_s)
    mean_s = sum(pauses_s) / len(pauses_s)
    if max(pauses_s) - min(pauses_s) <= _ALIKE * mean_s:
        return "constant"
    if all(abs(change) <= _ALIKE * mean_s for change in _differences(steps)):
        return "linear"
    factors = [after / before for before, after in pairwise(steps) if before > 0]
    if len(factors) == len(steps) - 1 and max(factors) - min(factors) <= 2 * _ALIKE:
        return "exponential"
    half = len(pauses_s) // 2
    return "jitter" if sum(pauses_s[-half:]) > sum(pauses_s[:half]) else "none"


def _differences(values: Sequence[float]) -> list[float]:
    return [after - before for before, after in pairwise(values)]
