"""Alibaba Cloud's IoT Platform: properties that are posted and set, services that are called."""

import asyncio
import json
from typing import Any

from tools.clouds.alibaba import Alibaba, OfflineError

from .base import Base, OperatorError

_LOOK_S = 0.05
_PRODUCT = "a1Esp32"


class Operator(Base):
    """Does what the platform's console does: sets properties, calls services."""

    CALLED = "Alibaba Cloud IoT Platform, a service that is ending"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._cloud = Alibaba(self.folder, tell=self.on_event)
        self._device = self._cloud.create_device(_PRODUCT, self.device)

    async def start(self) -> None:
        await self._cloud.start()
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        self._following.cancel()
        await self._cloud.stop()

    @property
    def port(self) -> int:
        return self._cloud.port

    def section(self) -> dict[str, Any]:
        return {
            "alibaba": {
                "endpoint": "localhost",
                "port": self.port,
                "root_ca": self._cloud.root_pem,
                "product_key": _PRODUCT,
                "device_secret": self._device.secret,
            }
        }

    async def desire(self, change: dict[str, Any]) -> None:
        self._cloud.set_desired(self._device, change)

    def reported(self) -> dict[str, Any]:
        return self._device.properties

    async def command(self, name: str, payload: dict[str, Any]) -> str:
        try:
            return json.dumps(await self._cloud.invoke(self._device, name, payload))
        except (OfflineError, TimeoutError) as error:
            raise OperatorError(str(error)) from None

    async def _follow(self) -> None:
        """Tell of what comes, which the stand-in keeps for whoever looks."""
        while True:
            await asyncio.sleep(_LOOK_S)
            while self._device.posts:
                posted = self._device.posts.popleft()
                self.on_message("properties posted", json.dumps(posted).encode())
