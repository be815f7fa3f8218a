"""Discovery, as AWS's Greengrass data plane answers it: which cores a thing may connect to, and their CAs.

Source: AWS IoT Greengrass V2 Developer Guide, "Greengrass discovery RESTful API".
"""

import json
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from tools.cloud import Cloud
from tools.cloud.authorization import Authorization, connection_variables
from tools.cloud.ca import Authority
from tools.cloud.limits import Limits
from tools.cloud.listener import SHUTDOWN_S, Listener, address, identity, server_name

from .core import Core
from .rights import is_of

PORT = 8443


class Discovery:
    """A port of its own: `GET /greengrass/discover/thing/NAME` with the thing's certificate.

    A certificate needs `greengrass:Discover` on the thing, and to be that thing's. Thing policy variables are
    unknown there, as on AWS: no client id tells a thing.

    Args:
        state: the cloud's state directory, whose CA signs this server's certificate.
        cloud: where things and certificates are.
        hosts: names and addresses that the certificate is for.
        cores: asked at each request, so the list may change.

    Attributes:
        body: what is said in place of the truth, for tests; None: the truth.
        asked: how often a thing has asked.
    """

    def __init__(self, state: Path, cloud: Cloud, hosts: tuple[str, ...], cores: Sequence[Core]) -> None:
        self.body: bytes | None = None
        self.asked = 0
        self.port = 0
        self._registry = cloud.registry
        self._cores = cores
        context = Authority(state, Authority.chain_in(state) or "p256").server_context(
            hosts, file="discovery.pem"
        )
        app = web.Application()
        app.router.add_get("/greengrass/discover/thing/{thing}", self._discover)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        self._listener = Listener(runner, context, Limits())

    async def start(self, listen: str = "127.0.0.1", port: int = PORT) -> int:
        """Listen on an address; returns the port, 0 takes any free one. Raises OSError."""
        self.port = await self._listener.start(listen, port)
        return self.port

    async def stop(self) -> None:
        """End the connections and stop listening."""
        await self._listener.stop()

    async def _discover(self, request: web.Request) -> web.Response:
        thing = request.match_info["thing"]
        self.asked += 1
        if not self._may(request, thing):
            return _said(403, {"message": "Forbidden"})
        cores = [core for core in self._cores if thing in core.things]
        if not cores:
            return _said(404, {"message": f"{thing} is associated with no core device"})
        if self.body is not None:
            return _closing(self.body)
        return _said(200, {"GGGroups": [self._group(core) for core in cores]})

    def _may(self, request: web.Request, thing: str) -> bool:
        identifier = identity(request)
        if not is_of(self._registry, thing, identifier):
            return False
        variables = connection_variables(address(request), server_name(request))
        authorization = Authorization(self._registry, identifier, "", variables)
        return authorization.allows("greengrass:Discover", f"thing/{thing}")

    def _group(self, core: Core) -> dict[str, object]:
        places = [
            {"Id": host, "HostAddress": host, "PortNumber": core.port, "Metadata": ""} for host in core.hosts
        ]
        return {
            "GGGroupId": f"greengrassV2-coreDevice-{core.name}",
            "Cores": [{"thingArn": self._registry.arn(f"thing/{core.name}"), "Connectivity": places}],
            "CAs": [core.ca],
        }


def _said(status: int, document: dict[str, object]) -> web.Response:
    return _closing(json.dumps(document).encode(), status)


def _closing(body: bytes, status: int = 200) -> web.Response:
    """Nobody asks twice on one connection."""
    answer = web.Response(body=body, status=status, content_type="application/json")
    answer.force_close()
    return answer
