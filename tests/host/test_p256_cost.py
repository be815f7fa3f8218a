"""What P-256 costs in field operations: a bound that no fast machine hides."""

from collections.abc import Callable
from typing import Any

import pytest
from iot.crypto import curve, p256

from tools.bench.p256 import counts


@pytest.mark.parametrize(
    ("operation", "multiplications", "inversions"),
    [("public", 3100, 1), ("ecdh", 3100, 1), ("sign", 3100, 2), ("verify", 4100, 1), ("csr", 6200, 3)],
)
def test_multiplications(operation: str, multiplications: int, inversions: int) -> None:
    count = counts()[operation]
    assert count["inversions"] == inversions
    assert count["multiplications"] <= multiplications
    # The counter has seen them all: an addition takes 14, but for the first one, to nothing.
    assert count["multiplications"] >= 8 * count["doublings"] + 14 * (count["additions"] - 1)


async def test_secret_scalars_take_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def noted(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*points: Any) -> Any:
            steps.append(name)
            return function(*points)

        return call

    monkeypatch.setattr(curve, "_double", noted(curve._double, "double"))
    monkeypatch.setattr(curve, "_add", noted(curve._add, "add"))
    sequences = set()
    for secret in (1, 3, 4, 15, 16, 2**64, 2**128 - 1, 2**255, curve.N // 2, curve.N - 1):
        steps.clear()
        await p256.public(secret.to_bytes(32, "big"))
        sequences.add(tuple(steps))
    assert len(sequences) == 1


def test_counting_leaves_the_modules_as_they_were() -> None:
    before = {module: dict(vars(module)) for module in (curve, p256)}
    counts()
    assert all(vars(module) == names for module, names in before.items())
