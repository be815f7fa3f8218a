"""How long the tests wait for what must come: a deadline tells a hang from work, not a slow machine."""

import asyncio
import time
from collections.abc import Callable

PATIENCE_S = 200  # some twenty times what the longest wait takes on a machine with nothing else to do
_LOOK_S = 0.02


async def until(
    condition: Callable[[], object], what: str = "what is waited for", timeout_s: float = PATIENCE_S
) -> None:
    """Wait until `condition()` is true; TimeoutError says what did not come."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise TimeoutError(f"{what}: not within {timeout_s:g} s") from None


def block_until(condition: Callable[[], object], what: str = "what is waited for") -> None:
    """As `until`, where other threads make it true."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, f"{what}: not within {PATIENCE_S:g} s"
        time.sleep(_LOOK_S)
