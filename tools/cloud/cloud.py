"""The local AWS IoT Core in one object."""

import json
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .broker import Broker
from .ca import Authority
from .database import Database
from .events import Event
from .limits import Limits
from .provisioning import Provisioning
from .registry import Registry
from .store import Store

_log = logging.getLogger(__name__)


class Cloud:
    """AWS IoT Core's device side on this machine: `async with Cloud(folder) as cloud: …`.

    Args:
        state: directory of all that outlives the process; made if it does not exist.
        listen: address to listen on.
        port: 0 takes any free one, `port` tells which.
        hosts: names and IP addresses that the server's certificate is for.
        limits: AWS's, unless given.
        on_event: called with each Event (connected, disconnected, refused, …); may be set later too.
        clock: seconds since 1970, for expiry and timestamps.

    Raises:
        StateError: the state directory cannot be used.
    """

    def __init__(
        self,
        state: Path,
        listen: str = "127.0.0.1",
        port: int = 0,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
        limits: Limits | None = None,
        on_event: Callable[[Event], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.limits = limits or Limits()
        self.on_event = on_event
        self.port = port
        self._listen = listen
        self._clock = clock
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database = Database(state)
        self._authority = Authority(state)
        self._context = self._authority.server_context(tuple(hosts))
        self.registry = Registry(self._database, self._authority, clock)

    @property
    def root_ca(self) -> str:
        """The root certificate that clients trust, PEM."""
        return self._authority.root_pem

    async def start(self) -> None:
        """Listen; raises OSError if the address or the port cannot be had."""
        store = Store(self._database, self.limits.session_expiry_s, self._clock)
        provisioning = Provisioning(self.registry, self._database, self.limits.token_expiry_s, self._tell)
        self._broker = Broker(
            self._context, self.registry, store, [provisioning], self.limits, self._tell, self._clock
        )
        self.port = await self._broker.start(self._listen, self.port)

    async def stop(self) -> None:
        """Disconnect everyone, stop listening, close the state."""
        await self._broker.stop()
        self._database.close()

    async def __aenter__(self) -> "Cloud":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def create_identity(self, policy_document: dict[str, Any]) -> tuple[str, str]:
        """An active certificate with a policy, for a client that is no provisioned thing: (certificate, key), PEM."""
        made = self.registry.create_keys_and_certificate(setAsActive=True)
        policy = self.registry.ensure_policy(json.dumps(policy_document))
        self.registry.attach_policy(policyName=policy, target=made["certificateArn"])
        return made["certificatePem"], made["keyPair"]["PrivateKey"]

    def device_configuration(
        self,
        wifi: list[dict[str, str]],
        endpoint: str = "localhost",
        template: str = "LocalTemplate",
        parameters: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """A device's configuration with a new claim certificate; template and policies are made when they are new.

        Args:
            wifi: as in the device's configuration, [{"ssid": …, "password": …}].
            endpoint: name or address of this cloud, as the device reaches it; one of `hosts`.
            template: the provisioning template's name.
            parameters: what the device sends with RegisterThing; a random SerialNumber unless given. The thing is
                called "esp32-" and the SerialNumber.
        """
        self._ensure_template(template)
        certificate, key = self.create_identity(self._claim_policy(template))
        return {
            "wifi": wifi,
            "aws": {
                "endpoint": endpoint,
                "port": self.port,
                "template": template,
                "parameters": parameters or {"SerialNumber": secrets.token_hex(6)},
                "root_ca": self.root_ca,
                "claim_certificate": certificate,
                "claim_key": key,
            },
        }

    def _ensure_template(self, name: str) -> None:
        policy = self.registry.ensure_policy(json.dumps(self._thing_policy()), "LocalThingPolicy")
        known = {template["templateName"] for template in self.registry.list_provisioning_templates()["templates"]}
        if name in known:
            return
        serial = {"Ref": "SerialNumber"}
        body = {
            "Parameters": {"SerialNumber": {"Type": "String"}, "AWS::IoT::Certificate::Id": {"Type": "String"}},
            "Resources": {
                "thing": {
                    "Type": "AWS::IoT::Thing",
                    "Properties": {
                        "ThingName": {"Fn::Join": ["", ["esp32-", serial]]},
                        "AttributePayload": {"serialNumber": serial},
                    },
                },
                "certificate": {
                    "Type": "AWS::IoT::Certificate",
                    "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"},
                },
                "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": policy}},
            },
            "DeviceConfiguration": {},
        }
        self.registry.create_provisioning_template(
            templateName=name,
            templateBody=json.dumps(body),
            provisioningRoleArn="arn:aws:iam::123456789012:role/provisioning",
            enabled=True,
        )

    def _claim_policy(self, template: str) -> dict[str, Any]:
        """What AWS's guide gives a claim certificate: connecting, and the two provisioning calls."""
        topics = ["$aws/certificates/create/*", f"$aws/provisioning-templates/{template}/provision/*"]
        return self._policy("*", publish=topics, receive=topics)

    def _thing_policy(self) -> dict[str, Any]:
        """Each thing its own topics: telemetry/NAME out, cmd/NAME in, and the services' `$aws/things/NAME`."""
        thing = "${iot:Connection.Thing.ThingName}"
        services = f"$aws/things/{thing}/*"
        return self._policy(
            thing,
            publish=[f"telemetry/{thing}", f"telemetry/{thing}/*", services],
            receive=[f"cmd/{thing}", f"cmd/{thing}/*", services],
        )

    def _policy(self, client: str, publish: list[str], receive: list[str]) -> dict[str, Any]:
        def allow(actions: list[str], kind: str, names: list[str]) -> dict[str, Any]:
            resources = [self.registry.arn(f"{kind}/{name}") for name in names]
            return {"Effect": "Allow", "Action": actions, "Resource": resources}

        return {
            "Version": "2012-10-17",
            "Statement": [
                allow(["iot:Connect"], "client", [client]),
                allow(["iot:Publish"], "topic", publish),
                allow(["iot:Subscribe"], "topicfilter", receive),
                allow(["iot:Receive"], "topic", receive),
            ],
        }

    def _tell(self, event: Event) -> None:
        _log.info("%s", event)
        if self.on_event is not None:
            self.on_event(event)
