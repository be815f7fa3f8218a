"""A cloud as boto3 and a device see it, whoever wrote it: all of it set up by boto3 alone."""

import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

from tests.peers import boto
from tools.cloud import fleet
from tools.cloud.ca import ServerChain

ACCOUNT = "123456789012"
TEMPLATE = "LocalTemplate"


def arn(resource: str) -> str:
    """The ARN of a resource such as `topic/a/b`."""
    return f"arn:aws:iot:{boto.CREDENTIALS['AWS_DEFAULT_REGION']}:{ACCOUNT}:{resource}"


@dataclass
class Aws:
    """One that runs.

    Args:
        name: whose it is, as tests show it.
        url: of its control plane.
        port: of MQTT, on this machine.
        root_ca: PEM; what its servers' certificate is signed by.
        server_chain: of which kind that is.
        role: ARN of the role that provisioning has.
    """

    name: str
    url: str
    port: int
    root_ca: str
    server_chain: ServerChain
    role: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """boto3's client of `iot`, `iot-data` or `iot-jobs-data`."""
        if service not in self._clients:
            self._clients[service] = boto.client(service, self.url)
        return self._clients[service]

    @property
    def iot(self) -> Any:
        return self.client("iot")

    def create_identity(self, policy_document: dict[str, Any]) -> tuple[str, str]:
        """(certificate, key), PEM, with a policy of its own."""
        made = self.iot.create_keys_and_certificate(setAsActive=True)
        name = f"of-{made['certificateId'][:16]}"
        self.iot.create_policy(policyName=name, policyDocument=json.dumps(policy_document))
        self.iot.attach_policy(policyName=name, target=made["certificateArn"])
        return made["certificatePem"], made["keyPair"]["PrivateKey"]

    def device_configuration(self, wifi: list[dict[str, str]], endpoint: str) -> dict[str, Any]:
        """A device's configuration with a claim certificate of its own."""
        self.ensure_template()
        certificate, key = self.create_identity(fleet.claim_policy(arn, TEMPLATE))
        return {
            "wifi": wifi,
            "aws": {
                "endpoint": endpoint,
                "port": self.port,
                "template": TEMPLATE,
                "keys": "service",  # this AWS has no create-from-csr
                "parameters": {"SerialNumber": "{id}"},
                "root_ca": self.root_ca,
                "claim_certificate": certificate,
                "claim_key": key,
            },
        }

    def ensure_template(self) -> None:
        """The local cloud's own template, by its name."""
        with contextlib.suppress(self.iot.exceptions.ResourceAlreadyExistsException):
            self.iot.create_provisioning_template(
                templateName=TEMPLATE,
                templateBody=fleet.template_body(arn),
                provisioningRoleArn=self.role,
                enabled=True,
            )
