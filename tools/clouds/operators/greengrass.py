"""Greengrass at home: a core with a bridge to AWS IoT Core, which has the thing, its shadow, its jobs."""

import json
from typing import Any

from tools.cloud import Cloud
from tools.cloud.errors import ResourceNotFoundException
from tools.cloud.fleet import MAY_ALL
from tools.clouds.greengrass import SERVICES_DOWN, SERVICES_UP, Core, Discovery, template_body
from tools.subscriber import Subscriber

from .base import Base, until

_REGION = "iot.eu-central-1.amazonaws.com"
_ENDPOINT, _DISCOVERY = f"local-ats.{_REGION}", f"greengrass-ats.{_REGION}"
_TEMPLATE = "Home"
_HOSTS = ("localhost", _ENDPOINT, _DISCOVERY)


class Operator(Base):
    """Talks to the device from AWS, through the core's bridge."""

    CALLED = "a Greengrass core at home, AWS IoT Core behind it"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._cloud = Cloud(self.folder, hosts=_HOSTS)
        self._cores: list[Core] = []
        self._is_off = False
        self._answers: list[str] = []
        self.more = {"the core is switched off": self._lose_the_core}

    async def start(self) -> None:
        await self._cloud.start()
        self._cloud.on_event = self.on_event
        self._discovery = Discovery(self.folder, self._cloud, _HOSTS, self._cores)
        await self._discovery.start(port=0)
        self.hosts = {_ENDPOINT: self._cloud.port, _DISCOVERY: self._discovery.port}
        up, down = ("telemetry/#", *SERVICES_UP), ("cmd/#", *SERVICES_DOWN)
        core = Core(self.folder.with_name("core"), self._cloud, "core", up=up, down=down, tell=self.on_event)
        core.associate(self.device)
        await core.start()
        self._cores.append(core)
        identity = self._cloud.create_identity(MAY_ALL)
        self._client = Subscriber(
            self.folder, "localhost", self._cloud.port, self._cloud.root_ca, *identity, "#", self._on_message
        )
        await self._client.__aenter__()

    async def stop(self) -> None:
        self._cloud.on_event = None
        await self._client.__aexit__()
        if not self._is_off:
            await self._cores[0].stop()
        await self._discovery.stop()
        await self._cloud.stop()

    @property
    def port(self) -> int:
        return self._cores[0].port

    def section(self) -> dict[str, Any]:
        registry = self._cloud.registry
        registry.create_provisioning_template(
            templateName=_TEMPLATE,
            templateBody=template_body(registry.arn),
            provisioningRoleArn="arn:aws:iam::123456789012:role/provisioning",
            enabled=True,
        )
        aws = self._cloud.device_configuration([], _ENDPOINT, _TEMPLATE)["aws"]
        return {"aws": {**aws, "greengrass": True}}

    async def desire(self, change: dict[str, Any]) -> None:
        document = json.dumps({"state": {"desired": change}}).encode()
        self._cloud.shadows.update_thing_shadow(thingName=self.device, payload=document)

    def reported(self) -> dict[str, Any]:
        try:
            found = self._cloud.shadows.get_thing_shadow(thingName=self.device)
        except ResourceNotFoundException:
            return {}
        state: dict[str, Any] = json.loads(found["payload"])["state"].get("reported", {})
        return state

    async def begin(self, job: str, document: dict[str, Any]) -> None:
        target = self._cloud.registry.arn(f"thing/{self.device}")
        self._cloud.jobs.create_job(jobId=job, targets=[target], document=json.dumps(document))

    def state_of(self, job: str) -> tuple[str, dict[str, str]]:
        executions = self._cloud.jobs.executions
        found = executions.describe_job_execution(jobId=job, thingName=self.device)["execution"]
        details = found.get("statusDetails", {}).get("detailsMap", {})
        return found["status"], {name: text for name, text in details.items() if not name.startswith("iot-")}

    async def command(self, name: str, payload: dict[str, Any]) -> str:
        """By the topic that the bridge has: AWS's commands do not come to a core."""
        self._answers.clear()
        self._client.publish(f"cmd/{self.device}", json.dumps({name: payload.get("on")}).encode())
        return await until(lambda: self._answers.pop() if self._answers else "")

    async def _lose_the_core(self) -> str:
        """The device goes to AWS, and looks for the core from time to time."""
        self._is_off = True
        await self._cores[0].stop()
        return await until(lambda: f"{self.device} is at AWS IoT Core" if self._is_at_aws() else "")

    def _is_at_aws(self) -> bool:
        try:
            found = self._cloud.connections.get_connection(clientId=self.device)
        except ResourceNotFoundException:
            return False
        return bool(found["connected"])

    def _on_message(self, topic: str, payload: bytes) -> None:
        if topic == f"telemetry/{self.device}/answer":
            self._answers.append(payload.decode(errors="replace"))
        if topic.startswith("telemetry/"):
            self.on_message(topic, payload)
