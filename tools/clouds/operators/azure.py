"""An IoT Hub and its DPS: the device finds its hub by a key of its enrolment group."""

import json
from typing import Any

from tools.clouds.azure import Azure
from tools.clouds.azure.devices import Telemetry
from tools.clouds.azure.errors import ServiceError

from .base import Base, OperatorError

_METHOD_S = 30


class Operator(Base):
    """Does what the service's SDK does: desired properties, direct methods."""

    CALLED = "Azure IoT Hub and its Device Provisioning Service"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._azure = Azure(self.folder, tell=self.on_event)
        self._azure.hub.on_telemetry = self._on_telemetry

    async def start(self) -> None:
        await self._azure.start()

    async def stop(self) -> None:
        await self._azure.stop()

    @property
    def port(self) -> int:
        return self._azure.port

    def section(self) -> dict[str, Any]:
        group = self._azure.dps.enrol_group("esp32")
        return {
            "azure": {
                "endpoint": "localhost",
                "port": self.port,
                "root_ca": self._azure.root_pem,
                "id_scope": self._azure.dps.id_scope,
                "group_key": group.keys[0],
            }
        }

    async def desire(self, change: dict[str, Any]) -> None:
        try:
            self._azure.hub.patch_desired(self.device, change)
        except ServiceError as error:
            raise OperatorError(str(error)) from None

    def reported(self) -> dict[str, Any]:
        try:
            return self._azure.hub.reported(self.device)
        except ServiceError:  # it was never here
            return {}

    async def command(self, name: str, payload: dict[str, Any]) -> str:
        try:
            status, body = await self._azure.hub.invoke(self.device, name, payload, _METHOD_S)
        except ServiceError as error:
            raise OperatorError(str(error)) from None
        return f"{status} {json.dumps(body)}"

    def _on_telemetry(self, telemetry: Telemetry) -> None:
        self.on_message(f"telemetry of {telemetry.device_id}", telemetry.payload)
