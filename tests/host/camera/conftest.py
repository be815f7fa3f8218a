"""The camera's service beside a local cloud, which runs once for all of its tests."""

import json
import ssl
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.patience import PATIENCE_S
from tests.peers.cloud_thread import ANYTHING, CloudThread
from tests.peers.dashboard_pictures import PICTURES
from tools.cloud import Cloud
from tools.cloud.ca import certificate_id
from tools.examples.camera.local import LocalService
from tools.examples.camera.service.functions import Service
from tools.examples.camera.service.snapshots import Snapshots

PICTURE = (PICTURES / "first-sensor.png").read_bytes()


@dataclass
class Site:
    """A cloud, the service, and a clock that a test moves.

    Args:
        cloud: in a thread of its own.
        service: as the cloud's rules call it.
    """

    cloud: CloudThread
    service: Service
    ahead_s: float = 0

    @property
    def snapshots(self) -> Snapshots:
        return self.service.snapshots

    def thing(self, name: str) -> tuple[str, str]:
        """A new thing's certificate and key, PEM. Its policy allows anything."""

        def make(cloud: Cloud) -> tuple[str, str]:
            cloud.registry.create_thing(thingName=name)
            certificate, key = cloud.create_identity(ANYTHING)
            arn = cloud.registry.arn(f"cert/{certificate_id(certificate)}")
            cloud.registry.attach_thing_principal(thingName=name, principal=arn)
            return certificate, key

        return self.cloud.call(make)

    def desired(self, thing: str) -> Any:
        """Its snapshot, as the cloud has it."""
        return self.state(thing).get("desired", {}).get("snapshot")

    def state(self, thing: str) -> dict[str, Any]:
        found = self.cloud.call(lambda it: it.shadows.get_thing_shadow(thingName=thing))
        state: dict[str, Any] = json.loads(found["payload"])["state"]
        return state

    def report(self, thing: str, **snapshot: object) -> None:
        """What a device says in its own shadow, which has the rule call."""
        self.write(thing, {"reported": {"snapshot": snapshot}})

    def write(self, thing: str, state: dict[str, Any]) -> None:
        """A change of its shadow."""
        payload = json.dumps({"state": state}).encode()
        self.cloud.call(lambda it: it.shadows.update_thing_shadow(thingName=thing, payload=payload))

    def upload(self, desired: dict[str, Any], data: bytes) -> None:
        """As a device does. Raises urllib.error.HTTPError."""
        context = ssl.create_default_context(cafile=str(self.cloud.root_ca))
        request = urllib.request.Request(desired["url"], data, desired["headers"], method="PUT")
        urllib.request.urlopen(request, timeout=PATIENCE_S, context=context).close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    local = LocalService()
    folder = tmp_path_factory.mktemp("camera")
    with CloudThread(folder, rules=local.rules(), rest_port=0, files_port=0) as cloud:
        yield Site(cloud, local.open(cloud._cloud))


@pytest.fixture
def site(running: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """It, and its service's clock with the cloud's until a test sets `ahead_s`."""
    clock = running.snapshots._clock
    monkeypatch.setattr(running.snapshots, "_clock", lambda: clock() + running.ahead_s)
    running.ahead_s = 0
    return running
