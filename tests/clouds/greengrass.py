"""A cloud with discovery and cores at home, as the tests of Greengrass use them."""

import json
from collections.abc import AsyncIterator
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

    async def core(self, *things: str, host: str = "127.0.0.1", port: int = 0, name: str = "core") -> Core:
        """A core that runs, with a CA of its own, for these things."""
        self._made += 1
        core = Core(self._folder / f"core{self._made}", self.cloud, name, (host,))
        core.associate(*things)
        await core.start(port)
        self.cores.append(core)
        return core

    async def gone(self, core: Core) -> None:
        """It is switched off; discovery goes on telling of it."""
        await core.stop()
        self._stopped.append(core)

    _stopped: list[Core]

    async def __aenter__(self) -> "Home":
        self._stopped = []
        await self.discovery.start(port=0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for core in self.cores:
            if core not in self._stopped:
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
