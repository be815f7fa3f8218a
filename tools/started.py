"""`async with` for what is started and stopped."""

from typing import Self


class Started:
    """Started at the beginning of `async with`, stopped at its end."""

    async def start(self) -> object:
        """Begin. Raises OSError where it cannot."""
        raise NotImplementedError

    async def stop(self) -> None:
        """End all that `start` began."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
