"""Alibaba Cloud's IoT Platform: properties that are posted and set, services that are called."""

import json
from typing import Any

from tools.clouds.alibaba import Alibaba, Device, OfflineError

from .base import Fronted, OperatorError

_PRODUCT = "a1Esp32"


class Operator(Fronted[Alibaba]):
    """Does what the platform's console does: sets properties, calls services."""

    CALLED = "Alibaba Cloud IoT Platform, a service that is ending"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._cloud = Alibaba(self.folder, tell=self.on_event)
        self._cloud.on_post = self._on_post
        self._device = self._cloud.create_device(_PRODUCT, self.device)

    def section(self) -> dict[str, Any]:
        return {
            "alibaba": {
                **self.place(),
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

    def _on_post(self, _device: Device, posted: dict[str, Any]) -> None:
        self.on_message("properties posted", json.dumps(posted).encode())
