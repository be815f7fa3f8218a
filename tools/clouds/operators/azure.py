"""An IoT Hub and its DPS: the device finds its hub by a key of its enrolment group."""

import json
from typing import Any

from tools.clouds.azure import Azure
from tools.clouds.azure.devices import Telemetry
from tools.clouds.azure.errors import ServiceError

from .base import Fronted, OperatorError

_METHOD_S = 30


class Operator(Fronted[Azure]):
    """Does what the service's SDK does: desired properties, direct methods."""

    CALLED = "Azure IoT Hub and its Device Provisioning Service"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._cloud = Azure(self.folder, tell=self.on_event)
        self._cloud.hub.on_telemetry = self._on_telemetry

    def section(self) -> dict[str, Any]:
        group = self._cloud.dps.enrol_group("esp32")
        return {
            "azure": {
                **self.place(),
                "id_scope": self._cloud.dps.id_scope,
                "group_key": group.keys[0],
            }
        }

    async def desire(self, change: dict[str, Any]) -> None:
        try:
            self._cloud.hub.patch_desired(self.device, change)
        except ServiceError as error:
            raise OperatorError(str(error)) from None

    def reported(self) -> dict[str, Any]:
        try:
            return self._cloud.hub.reported(self.device)
        except ServiceError:  # it was never here
            return {}

    async def command(self, name: str, payload: dict[str, Any]) -> str:
        try:
            status, body = await self._cloud.hub.invoke(self.device, name, payload, _METHOD_S)
        except ServiceError as error:
            raise OperatorError(str(error)) from None
        return f"{status} {json.dumps(body)}"

    def _on_telemetry(self, telemetry: Telemetry) -> None:
        self.on_message(f"telemetry of {telemetry.device_id}", telemetry.payload)
