"""What P-256 costs in field operations: a bound that no fast machine hides."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest
from iot.crypto import curve, p256
from iot.ota import forms, verify
from updates import COUNTER, NOW, PRODUCT, Python, root_text, sign, text

from tools.bench import p256 as bench
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


@pytest.mark.parametrize(("numbers", "checked"), [((1, 2, 3), 2), ((4, 1, 5, 3, 2), 2), ((4, 5, 6), 0)])
def test_an_update_costs_no_more_signatures_than_it_needs(
    monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, ...], checked: int
) -> None:
    """Of a root that asks for two of three keys: strangers cost nothing, and what comes after the second."""
    monkeypatch.setitem(sys.modules, "iot.crypto.p256", p256)  # which is borrowed, and otherwise loaded anew
    root = forms.root(root_text(), PRODUCT)
    signatures = asyncio.run(sign(text(), *numbers))

    async def judged() -> None:
        try:
            await verify.manifest(text(), signatures, root, COUNTER, NOW, Python())
        except ValueError:
            assert not checked

    count = bench._counted(judged)
    print(f"{checked} signatures:", count)
    assert count["inversions"] == checked
    assert (checked > 0) * 8000 <= count["multiplications"] <= checked * 4100 + 30  # keys are points: 10 each


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
