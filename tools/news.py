"""Waiting for what others bring about."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_Found = TypeVar("_Found")


class News:
    """Wakes who waits for a condition, each time `tell` says that something has changed."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def tell(self) -> None:
        """Have everyone look again."""
        self._next.set()
        self._next = asyncio.Event()

    async def until(
        self,
        condition: Callable[[], _Found | None],
        timeout_s: float,
        failure: Callable[[], Exception | None] = lambda: None,
    ) -> _Found:
        """What `condition` gives as soon as it is true.

        Raises TimeoutError after `timeout_s`, and what `failure` gives while it is not true.
        """
        async with asyncio.timeout(timeout_s):
            while not (found := condition()):
                if error := failure():
                    raise error
                await self._next.wait()
            return found


async def until_first(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Run them together until one ends, and end as it does; the others are cancelled."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
