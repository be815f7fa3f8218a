"""A cloud with discovery and cores at home, as the tests of Greengrass use them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.host.cloud.support import Identity, policy
from tools.cloud import Cloud
from tools.clouds.greengrass import Core, Discovery

MAY_DISCOVER = policy(("Allow", "greengrass:Discover", "arn:aws:iot:us-east-1:123456789012:thing/*"))
MAY_ALL = policy(("Allow", ["iot:*", "greengrass:Discover"], "*"))


class Home:
    """What is there: `cores`, which discovery tells of."""

    def __init__(self, folder: Path, cloud: Cloud, hosts: tuple[str, ...]) -> None:
        self.cloud = cloud
        self.cores: list[Core] = []
        self.discovery = Discovery(folder / "cloud", cloud, hosts, self.cores)
        self._folder = folder
        self._made = 0

    async def core(
        self,
        *things: str,
        host: str = "127.0.0.1",
        name: str = "core",
        ca: str = "",
        up: Sequence[str] = ("telemetry/#",),
        down: Sequence[str] = ("cmd/#",),
    ) -> Core:
        """A core that runs, for these things; of this CA, or of one of its own."""
        self._made += 1
        folder = self._folder / (ca or f"ca{self._made}")
        core = Core(folder, self.cloud, name, (host,), up=up, down=down)
        core.associate(*things)
        await core.start()
        self.cores.append(core)
        self._running.append(core)
        return core

    async def switch_off(self, core: Core) -> None:
        """Discovery goes on telling of it."""
        self._running.remove(core)
        await core.stop()

    async def switch_on(self, core: Core, ca: str) -> Core:
        """It is back, on another port; returns it."""
        self.cores.remove(core)
        return await self.core(*core.things, host=core.hosts[0], name=core.name, ca=ca)

    async def __aenter__(self) -> "Home":
        self._running: list[Core] = []
        await self.discovery.start(port=0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for core in self._running:
            await core.stop()
        await self.discovery.stop()


def thing(cloud: Cloud, name: str, document: dict[str, object] = MAY_ALL) -> Identity:
    """A registered thing's certificate and key."""
    registry = cloud.registry
    made = registry.create_keys_and_certificate(setAsActive=True)
    registry.create_thing(thingName=name)
    registry.attach_thing_principal(thingName=name, principal=made["certificateArn"])
    registry.attach_policy(
        policyName=registry.ensure_policy(json.dumps(document)), target=made["certificateArn"]
    )
    return made["certificatePem"], made["keyPair"]["PrivateKey"]


@asynccontextmanager
async def home(folder: Path, hosts: tuple[str, ...] = ("localhost", "127.0.0.1")) -> AsyncIterator[Home]:
    """A cloud of its own with discovery, and no core yet."""
    async with Cloud(folder / "cloud", hosts=hosts) as cloud, Home(folder, cloud, hosts) as it:
        yield it
